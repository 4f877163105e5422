package replicaread

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
)

// TestReadOfANodeThatCannotCatchUp: a read is answered by its deadline although
// the metadata log brings nothing of the epoch that a replica is at, and then
// its worker is free again.
func TestReadOfANodeThatCannotCatchUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		n.apply(0, n.row(1, 1, "v"))
		n.apply(1, n.row(1, 1, "v"))
		rd := n.nodes[0].rd
		waiting := 0
		rd.cfg.CatchUp = func(ctx context.Context, _ uint64) error {
			waiting++
			<-ctx.Done()
			waiting--
			return ctx.Err()
		}
		n.fault(1, fault{reply: &wire.Error{Code: wire.CodeStale, Epoch: 9}})
		for _, limit := range []time.Duration{time.Second, time.Hour} {
			began := testClock.Mono()
			a := &waiter{n: n, cmd: n.command(), done: make(chan struct{})}
			if err := rd.StartRead(a.cmd, ring.All, int64(began+limit), a); err != nil {
				t.Fatal(err)
			}
			<-a.done
			var e *native.Error
			if !errors.As(a.err, &e) || e.Code != native.CodeReadTimeout || e.Required != 2 || e.Received != 0 {
				t.Errorf("%+v", a.err)
			}
			// Time is virtual here.
			if took := testClock.Mono() - began; took > min(limit, defaultTimeout) {
				t.Errorf("answered after %v", took)
			}
		}
		if waiting != 0 {
			t.Errorf("%d still wait for the metadata log", waiting)
		}
		n.fault(1, fault{})
		if got, err := n.start(0, n.command(), ring.All); err != nil || !strings.Contains(got, `="v"`) {
			t.Errorf("%q, %v", got, err)
		}
	})
}
