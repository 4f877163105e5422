// Package sim is a world for whole nodes inside testing/synctest: machines with
// disks, wall clocks and a network between them, all of which fail by plan, on
// virtual time. Package history beside it judges what clients saw.
//
// # Use
//
//	synctest.Test(t, func(t *testing.T) {
//		w := sim.New(seed, 4) // 3 nodes, and a machine for the clients
//		start := func(i int) *node.Node {
//			env := w.Machines[i].Boot()
//			n, err := node.New(node.Options{FS: env.FS, Clock: env.Clock, Transport: env.Transport, Rand: env.Rand, ...})
//			...
//		}
//		nodes := []*node.Node{start(0), start(1), start(2)}
//		clients := w.Machines[3].Boot()
//		h := history.New(history.Options{Stamps: history.Server, Now: w.Clock.Now, Skew: 20 * time.Second})
//		for range 6 {
//			wg.Go(func() { client(clients.Transport, h) }) // op := h.Write(...); op.Acked(); h.Read(...).Row(...)
//		}
//		all := []int{0, 1, 2}
//		n := w.NewNemesis([2]time.Duration{time.Second, 5 * time.Second}, [2]time.Duration{time.Second, 20 * time.Second},
//			append(w.NetworkActions(all), w.CrashActions(all, stop, start)...)...)
//		n.Run(10 * time.Minute)
//		faults, void := n.Effective() // a kind that nothing met proves nothing
//		...                           // stop the clients, let the cluster be quiet
//		err := h.Replicas(partition, states)
//	})
//
// Machine.Boot hands out an Environment, which dies with Machine.Kill (the
// process: its connections are reset, the disk keeps what was written) or
// Machine.Crash (the power: nobody is told, the disk keeps what was synced and
// a part of the rest). What still runs in a dead environment gets errors from
// its disk and its connections; the test closes it, or the bubble never ends.
//
// # The network
//
// Connections behave as TCP's do. What is sent arrives in order, after a
// latency of 0.1 to 0.3 ms and what the faults add. A loss is a delay, a
// blocked link stalls connections until it is healed, and dials go on until
// their context ends. Nothing is duplicated, and only connections overtake each
// other. A reset discards what was not read.
//
// # Determinism
//
// All chance comes from the seed; each end of a connection has its own
// sequence, and no two events share a nanosecond. What is left to the Go
// scheduler is the order of goroutines that wake for the same event: with
// GOMAXPROCS=1 a seed mostly repeats, and never surely.
//
// # What it does not do
//
// It does not stop goroutines: a paused machine computes. It does not skew the
// monotonic clock, limit memory, or fill one disk by several machines.
package sim
