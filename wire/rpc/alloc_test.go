//go:build !race

package rpc_test

import (
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// TestAllocations wants a request and its answer to allocate nothing on either
// side, in the steady state.
func TestAllocations(t *testing.T) {
	answer := make([]byte, 20)
	b := start(t, transport.TCP, 2, func(c *rpc.Config) {
		c.Handlers[wire.OpApply] = func(r *rpc.Request) { r.ReplyEpoch(9, answer[:10], answer[10:]) }
	})
	p := knows(start(t, transport.TCP, 1, nil), b)
	o := blocking{make(chan error, 1)}
	m := rpc.Message{Op: wire.OpApply, Lane: rpc.Small, Epoch: 8, Body: make([]byte, 200), Parts: [][]byte{make([]byte, 50)}}
	exchange := func() {
		m.Deadline = int64(clock.Real.Mono() + 10*time.Minute)
		if err := p.Send(&m, o); err != nil {
			t.Error(err)
		} else if err := <-o.err; err != nil {
			t.Error(err)
		}
	}
	for range 1000 {
		exchange()
	}
	// Pools may be emptied by the collector meanwhile: on average, not one.
	if n := testing.AllocsPerRun(5000, exchange); n > 0 {
		t.Errorf("%v allocations for a request and its answer", n)
	}
}
