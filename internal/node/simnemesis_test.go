//go:build long

package node_test

import (
	"flag"
	"fmt"
	"sync"
	"time"

	"github.com/ilion-db/ilion/internal/sim"
)

var simVerbose = flag.Bool("simlog", false, "show what simulated nodes log")

const (
	// simClock is how far clocks are wrong at most, simSkew how far they may be
	// from each other therefore.
	simClock = 10 * time.Second
	simSkew  = 2 * simClock
	// simSettle is longer than anything that a node does on after a request:
	// repairs, replays of batches, hints that are written late.
	simSettle = time.Minute
	// enoughFaults of a kind must have changed something at least once.
	enoughFaults = 5
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
					if s.runs(i, n) {
						s.nodes[i].restarts++
						s.w.Machines[i].Kill()
						s.stop(i)
						if err := s.start(i); err != nil {
							s.found.note(fmt.Errorf("node %d does not start again: %w", i, err))
						}
					}
				default:
				}
			}
		})
	}
	return g
}

func (s *simulation) nemesis() *sim.Nemesis {
	all := []int{0, 1, 2, 3, 4}
	restart := func(i int) {
		if err := s.start(i); err != nil {
			s.found.note(fmt.Errorf("node %d does not start again: %w", i, err))
		}
	}
	actions := append(s.w.NetworkActions(all), s.w.CrashAction(all, s.stop, restart), s.w.PauseAction(all))
	actions = append(actions, s.w.ClockActions(all, simClock)...)
	actions = append(actions, s.w.DiskActions(all, "*")...)
	return s.w.NewNemesis([2]time.Duration{200 * time.Millisecond, 2 * time.Second}, [2]time.Duration{500 * time.Millisecond, 6 * time.Second}, actions...)
}
