package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/config"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/query"
	"github.com/ilion-db/ilion/internal/sim"
)

// TestHeal cuts one node of three off for about as long as gossip takes to tell
// it dead, silently, as a switch does. Once the cut is healed all soon see all,
// and nobody is told dead any more, so that another node may die then.
func TestHeal(t *testing.T) {
	for i := range uint64(14) {
		cut := 3*time.Second + time.Duration(i)*500*time.Millisecond
		t.Run(cut.String(), func(t *testing.T) {
			t.Parallel() // what is virtual is not disturbed
			synctest.Test(t, func(t *testing.T) {
				if err := heal(i+1, cut); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func heal(seed uint64, cut time.Duration) error {
	const count = 3
	w := sim.New(seed, count)
	nodes, err := serveOn(w, count)
	defer closeAll(nodes)
	if err != nil {
		return err
	}
	all := func() error {
		for i, n := range nodes {
			up, err := countUp(n)
			if err == nil && up != count {
				err = fmt.Errorf("node %d sees %d up", i, up)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	const tick = 50 * time.Millisecond
	within := func(d time.Duration) (err error) {
		for begin := w.Clock.Mono(); w.Clock.Mono()-begin < d; w.Clock.Sleep(tick) {
			if err = all(); err == nil {
				return nil
			}
		}
		return fmt.Errorf("after %v: %w", d, err)
	}
	if err := within(time.Minute); err != nil {
		return err
	}
	w.Clock.Sleep(10 * time.Second)
	f := w.Net.Isolate(count - 1)
	w.Clock.Sleep(cut)
	f.Heal()
	if err := within(5 * time.Second); err != nil {
		return err
	}
	for begin := w.Clock.Mono(); w.Clock.Mono()-begin < 15*time.Second; w.Clock.Sleep(tick) {
		if err := all(); err != nil {
			return fmt.Errorf("all were up, and %v later: %w", w.Clock.Mono()-begin, err)
		}
	}
	return nil
}

// serveOn has the first machines run the nodes of a cluster.
func serveOn(w *sim.World, count int) (nodes []*node.Node, err error) {
	for i := range count {
		c := config.Default()
		c.DataDir, c.ListenAddress, c.Memory = "/data", w.Machines[i].IP(), config.MinMemory
		if i > 0 {
			c.Join = []string{w.Machines[0].IP()}
		}
		env := w.Machines[i].Boot()
		n, err := node.New(context.Background(), node.Options{
			Config: c, Version: "test", Clock: env.Clock, FS: env.FS, Rand: env.Rand, Transport: env.Transport,
			Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return nodes, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func closeAll(nodes []*node.Node) {
	for _, n := range nodes {
		_ = n.Close(context.Background())
	}
	time.Sleep(lastPings)
}

// countUp is how many nodes a node can ask.
func countUp(n *node.Node) (up int, err error) {
	rows, err := n.Query().Query(context.Background(), query.Statement{
		Text: "SELECT rpc_ready FROM system_views.gossip_info WHERE rpc_ready = 'true' ALLOW FILTERING",
	})
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		up++
	}
	return up, rows.Err()
}
