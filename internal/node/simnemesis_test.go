package node_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/sim"
	"github.com/ilion-db/ilion/internal/vfs"
)

var simVerbose = flag.Bool("simlog", false, "show what simulated nodes log")

const (
	// simClock is how far clocks are wrong at most, simSkew how far they may be
	// from each other therefore.
	simClock = 10 * time.Second
	simSkew  = 2 * simClock
	// simSettle is longer than anything that a node does on after a request
	// (repairs, replays of batches, hints that are written late), and than what
	// expires lives, by any clock: nothing expires from one replica's answer to
	// the next one's.
	simSettle = simTTL*time.Second + 2*simSkew
	// simNoticed is how long a fault that is over goes on at most: a half-open
	// connection is noticed after four heartbeats of 500 ms, and made again after
	// a pause of 5 s.
	simNoticed = 10 * time.Second
	// simVotes is longer than it takes until all vote on the metadata log who
	// shall, since its leader looks for them once a second: noQuorum counts on
	// five.
	simVotes = 10 * time.Second
	// simLog is the bytes of commit log that await a flush: there are files.
	simLog = 256 << 10
)

// guards restart nodes whose store has failed, as a service manager does.
type guards struct {
	stop chan struct{}
	wg   sync.WaitGroup
}

func (g *guards) end() {
	close(g.stop)
	g.wg.Wait()
}

func (s *simulation) startGuards() *guards {
	g := &guards{stop: make(chan struct{})}
	for i := range s.nodes {
		g.wg.Go(func() {
			for {
				select {
				case <-s.w.Clock.After(time.Second):
				case <-g.stop:
					return
				}
				n := s.nodes[i].node.Load()
				if n == nil {
					continue
				}
				select {
				case <-n.Failed():
					s.replace(i, n)
				default:
				}
			}
		})
	}
	return g
}

// replace ends a node that has failed and starts another one, unless it ended
// before.
func (s *simulation) replace(i int, failed *node.Node) {
	<-s.nodes[i].turn
	defer func() { s.nodes[i].turn <- struct{}{} }()
	if !s.runs(i, failed) {
		return
	}
	s.nodes[i].restarts++
	s.w.Machines[i].Kill()
	s.nodes[i].close()
	s.started(i, s.startInTurn(i))
}

// nemeses are several that are at work at once.
type nemeses []*sim.Nemesis

// run returns when all have ended.
func (n nemeses) run(d time.Duration) {
	var all sync.WaitGroup
	for _, one := range n {
		all.Go(func() {
			one.Run(d)
			if simEveryKind {
				one.Complete()
			}
		})
	}
	all.Wait()
}

// effective is how many faults something met.
func (n nemeses) effective() (faults int) {
	for _, one := range n {
		k, _ := one.Effective()
		faults += k
	}
	return faults
}

func (n nemeses) String() (text string) {
	for _, one := range n {
		text += one.String()
	}
	return text
}

// nemeses are one for the network and one for machines, of which clocks may
// be wrong all the time.
func (s *simulation) nemeses() nemeses {
	all := []int{0, 1, 2, 3, 4, 5}[:len(s.nodes)]
	crash := all
	if s.byHints {
		crash = all[len(s.coordinators(0)):]
	}
	machines := []sim.Action{s.crashInRestart(crash), s.w.PauseAction(all), s.w.SlowAction(all)}
	machines = append(machines, s.w.CrashActions(crash, s.stop, s.restart)...)
	machines = append(machines, s.w.ClockActions(all, simClock)...)
	if !s.byHints {
		machines = append(machines, s.w.DiskActions(all, "*")...)
		machines = append(machines, s.bitFlips(rotten))
	}
	gap, hold := [2]time.Duration{100 * time.Millisecond, time.Second}, [2]time.Duration{200 * time.Millisecond, 6 * time.Second}
	network := append(s.w.NetworkActions(all), s.noQuorum(all))
	if s.twoDCs {
		network = append(network, s.w.SplitAction("data centres", all[:3], all[3:]))
	}
	return nemeses{s.w.NewNemesis(gap, hold, network...), s.w.NewNemesis(gap, hold, machines...)}
}

// restart starts node i, which no fault may prevent.
func (s *simulation) restart(i int) { s.started(i, s.start(i)) }

// started takes note of the outcome of a restart.
func (s *simulation) started(i int, err error) {
	if err != nil {
		s.found.note(fmt.Errorf("node %d does not start again: %w", i, err))
	}
}

// crashInRestart cuts the power of a machine, and again in the middle of its
// next start, at some call to the disk.
func (s *simulation) crashInRestart(machines []int) sim.Action {
	return sim.Action{Kind: "crash twice", Begin: func(time.Duration) sim.Injected {
		at := machines[s.w.Rand.Uint64N(uint64(len(machines)))]
		m := s.w.Machines[at]
		if !m.Up() {
			return sim.Injected{End: func() int64 { return 0 }}
		}
		m.Crash(vfs.CrashOptions{Keep: 50})
		s.stop(at)
		return sim.Injected{Machines: []int{at}, End: func() int64 {
			met := s.startsHalf(at)
			s.restart(at)
			return met
		}}
	}}
}

// startsHalf starts machine i, whose disk fails at some call and whose power
// is cut then. It tells whether the disk did.
func (s *simulation) startsHalf(i int) int64 {
	<-s.nodes[i].turn
	defer func() { s.nodes[i].turn <- struct{}{} }()
	m := s.w.Machines[i]
	if m.Up() {
		return 0 // somebody else was first
	}
	env := m.Boot()
	last := env.Faults.Add(vfs.Rule{Nth: 1 + int(s.w.Rand.Uint64N(200)), Times: -1, Err: vfs.ErrIO})
	n, err := s.serve(i, env, 10*time.Second)
	fired := int64(last.Fired())
	m.Crash(vfs.CrashOptions{Keep: 50})
	if err == nil {
		_ = n.Close(context.Background()) // its disk is gone
	}
	return min(fired, 1)
}

// loseDisks has one machine start on an empty disk and another on the disk of
// before its last start, while clients go on. Both must be refused. Nothing else
// is wrong then: who has forgotten a disk, or hears nobody, cannot refuse it.
func (s *simulation) loseDisks() error {
	s.w.Clock.Sleep(simNoticed)
	if err := s.eventually(s.allSeeAll); err != nil {
		return err
	}
	// Neither founds a cluster, nor coordinates when only hints are judged.
	wiped, older := 3, 4
	if s.w.Rand.Uint64N(2) == 0 {
		wiped, older = older, wiped
	}
	if err := s.refused(wiped, vfs.NewMem()); err != nil {
		return fmt.Errorf("a disk that was wiped: %w", err)
	}
	before := s.w.Machines[older].Backup()
	s.w.Machines[older].Kill()
	s.stop(older)
	if err := s.start(older); err != nil {
		return err
	}
	if err := s.eventually(s.allSeeAll); err != nil {
		return err
	}
	if err := s.refused(older, before); err != nil {
		return fmt.Errorf("a disk that was rolled back: %w", err)
	}
	return nil
}

// refused starts machine i on another disk, which must not succeed, and then on
// its own again.
func (s *simulation) refused(i int, disk *vfs.Mem) error {
	<-s.nodes[i].turn
	defer func() { s.nodes[i].turn <- struct{}{} }()
	m := s.w.Machines[i]
	m.Kill()
	s.nodes[i].close()
	own := m.Backup()
	m.Restore(disk)
	n, err := s.serve(i, m.Boot(), 30*time.Second)
	m.Kill()
	if err == nil {
		_ = n.Close(context.Background())
		return fmt.Errorf("node %d serves", i)
	}
	if !strings.Contains(err.Error(), "refuse") && !strings.Contains(err.Error(), "tables already") {
		return fmt.Errorf("node %d does not start, and nobody refused it: %w", i, err)
	}
	m.Restore(own)
	return s.startInTurn(i)
}

// rotten is the machine whose disk gives back other bits than were written.
const rotten = simNodes - 1

// bitFlips has reads of table files on a machine give a wrong bit each.
func (s *simulation) bitFlips(i int) sim.Action {
	return sim.Action{Kind: "bit flip", Begin: func(time.Duration) sim.Injected {
		n, m := s.nodes[i].node.Load(), s.w.Machines[i]
		if n == nil || !m.Up() {
			return sim.Injected{End: func() int64 { return 0 }}
		}
		at := s.w.Rand.Uint64()
		armed := s.nodes[i].disk.Load().Add(vfs.Rule{
			Ops: vfs.OpsOf(vfs.OpRead, vfs.OpMmap), Glob: "*.sst", Times: -1,
			Corrupt: func(p []byte, _ int64) {
				if len(p) > 0 {
					p[at/8%uint64(len(p))] ^= 1 << (at % 8)
				}
			},
		})
		return sim.Injected{Machines: []int{i}, End: func() int64 {
			armed.Remove()
			return int64(armed.Fired())
		}}
	}}
}
