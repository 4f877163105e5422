package sim

import (
	"bufio"
	"context"
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/sim/history"
	"github.com/ilion-db/ilion/internal/vfs"
)

// The register is the smallest replicated store: each of three machines keeps
// one row in a file, clients write the row with their own timestamps to a
// quorum and read it from a quorum. It shows that the world can be lived in,
// and that the checker sees what goes wrong in it.

const registerPort = 7000

// message is a request or answer: the newest version of the row.
type message struct {
	Write uint8
	TS    int64
	Value int64
}

const messageSize = 17

// replica serves a register in an environment until that dies.
type replica struct {
	env *Environment
	l   net.Listener
	wg  sync.WaitGroup

	// turn holds state while nobody has it: a lock that may be held over I/O.
	turn chan message

	mu    sync.Mutex // protects conns
	conns []net.Conn
}

func startReplica(t *testing.T, env *Environment) *replica {
	r := &replica{env: env, turn: make(chan message, 1)}
	var state message
	b, err := vfs.ReadFile(env.FS, "/row", messageSize)
	if err == nil && len(b) == messageSize {
		if _, err := binary.Decode(b, binary.LittleEndian, &state); err != nil {
			t.Fatal(err)
		}
	}
	r.turn <- state
	if r.l, err = env.Transport.Listen(env.Transport.Address(registerPort)); err != nil {
		t.Fatal(err)
	}
	r.wg.Go(func() {
		for {
			c, err := r.l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conns = append(r.conns, c)
			r.mu.Unlock()
			r.wg.Go(func() { r.serve(c) })
		}
	})
	return r
}

func (r *replica) stop() {
	r.l.Close()
	r.mu.Lock()
	for _, c := range r.conns {
		c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

func (r *replica) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		var m message
		if binary.Read(in, binary.LittleEndian, &m) != nil {
			return
		}
		state, failed := <-r.turn, false
		if m.Write == 1 && m.TS > state.TS {
			if failed = r.save(m) != nil; !failed {
				state = m
			}
		}
		r.turn <- state
		if failed || binary.Write(c, binary.LittleEndian, &state) != nil {
			return
		}
	}
}

func (r *replica) save(m message) error {
	b, err := binary.Append(nil, binary.LittleEndian, &m)
	if err != nil {
		return err
	}
	return vfs.WriteFileAtomic(r.env.FS, "/row", b)
}

// ask sends a message on a new connection.
func ask(env *Environment, address string, m message) (answer message, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c, err := env.Transport.Dial(ctx, address)
	if err != nil {
		return answer, err
	}
	defer c.Close()
	if err := c.SetDeadline(env.Clock.Now().Add(2 * time.Second)); err != nil {
		return answer, err
	}
	if err := binary.Write(c, binary.LittleEndian, &m); err != nil {
		return answer, err
	}
	err = binary.Read(c, binary.LittleEndian, &answer)
	return answer, err
}

// quorum sends a message to all and returns the newest of the first n answers.
func quorum(w *World, env *Environment, m message, n int) (newest message, ok bool) {
	answers := make(chan *message, 3)
	for i := range 3 {
		go func() {
			a, err := ask(env, w.Machines[i].Address(registerPort), m)
			if err != nil {
				answers <- nil
				return
			}
			answers <- &a
		}()
	}
	got := 0
	for range 3 {
		if a := <-answers; a != nil {
			if got++; a.TS >= newest.TS {
				newest = *a
			}
			if got == n {
				return newest, true
			}
		}
	}
	return newest, false
}

// registerRun is what a run may do wrong.
type registerRun struct {
	seed    uint64
	quorum  int  // 2, or 1: acknowledges early
	repair  bool // what was read is written back
	minutes int
}

// run lives for a while and returns the first violation.
func (o registerRun) run(t *testing.T) (n *Nemesis, counts history.Counts, violation error) {
	w := New(o.seed, 4)
	h := history.New(history.Options{Stamps: history.Client, Now: w.Clock.Now, Skew: 20 * time.Second, Monotonic: true})
	replicas := make([]*replica, 3)
	start := func(i int) { replicas[i] = startReplica(t, w.Machines[i].Boot()) }
	for i := range replicas {
		start(i)
	}
	clients := w.Machines[3].Boot()
	var mu sync.Mutex // protects violation and ts
	var ts int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		r := rand.NewSeeded(o.seed + uint64(i))
		wg.Go(func() {
			for w.pauseWith(r, stop) {
				mu.Lock()
				ts++
				at := ts
				mu.Unlock()
				if err := o.operate(w, clients, h, r, at); err != nil {
					mu.Lock()
					if violation == nil {
						violation = err
					}
					mu.Unlock()
				}
			}
		})
	}
	all := []int{0, 1, 2}
	actions := append(w.NetworkActions([]int{0, 1, 2, 3}), w.PauseAction(all), w.SlowAction(all))
	actions = append(actions, w.CrashActions(all, func(i int) { replicas[i].stop() }, start)...)
	actions = append(actions, w.DiskActions(all, "*")...)
	n = w.NewNemesis([2]time.Duration{200 * time.Millisecond, time.Second}, [2]time.Duration{time.Second, 5 * time.Second}, actions...)
	n.Run(time.Duration(o.minutes) * time.Minute)
	close(stop)
	wg.Wait()
	time.Sleep(time.Minute) // requests that nobody waits for
	for i := range w.Machines {
		w.Machines[i].Kill()
	}
	for _, r := range replicas {
		r.stop()
	}
	return n, h.Counts(), violation
}

// pauseWith waits for a tenth of a second or so, by a client's own chance.
func (w *World) pauseWith(r *rand.Source, stop chan struct{}) bool {
	select {
	case <-w.Clock.After(time.Duration(r.Uint64N(200_000_000)) | 1):
		return true
	case <-stop:
		return false
	}
}

// operate writes or reads once.
func (o registerRun) operate(w *World, env *Environment, h *history.History, r *rand.Source, ts int64) error {
	if r.Uint64N(2) == 0 {
		op := h.Write(history.Key{Partition: "p", Row: "r"}, ts, 0)
		if _, ok := quorum(w, env, message{Write: 1, TS: ts, Value: op.Value()}, o.quorum); ok {
			op.Acked()
		} else {
			op.Unknown()
		}
		return nil
	}
	q := h.Read("p")
	m, ok := quorum(w, env, message{}, 2)
	if ok && o.repair && m.TS > 0 {
		m.Write = 1
		_, ok = quorum(w, env, m, 2)
	}
	if !ok {
		q.Failed()
		return nil
	}
	return q.Row("r", m.Value, m.TS > 0)
}

func TestRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := registerRun{seed: 1, quorum: 2, repair: true, minutes: 3}
		if invariant.Enabled {
			o.minutes = 1
		}
		n, counts, violation := o.run(t)
		t.Logf("\n%v%+v", n, counts)
		if violation != nil {
			t.Fatal(violation)
		}
		success, tried := counts.Success()
		if success < 50 || tried < 200 {
			t.Fatalf("%v %% of %d operations: nothing was tried", success, tried)
		}
		if faults, _ := n.Effective(); faults < 5 {
			t.Fatalf("%d faults met anything", faults)
		}
	})
}

// TestRegisterBugs shows that what is wrong is noticed.
func TestRegisterBugs(t *testing.T) {
	if invariant.Enabled {
		return // the race detector learns nothing from them
	}
	for what, o := range map[string]registerRun{
		"acknowledged early": {quorum: 1, repair: true, minutes: 1},
		"no read repair":     {quorum: 2, minutes: 1},
	} {
		t.Run(what, func(t *testing.T) {
			for o.seed = range 100 {
				var violation error
				synctest.Test(t, func(t *testing.T) { _, _, violation = o.run(t) })
				if violation != nil {
					return
				}
			}
			t.Fatal("not noticed")
		})
	}
}
