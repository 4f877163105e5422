//go:build !race

package wireserver_test

import (
	"testing"

	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// ender is a receiver that only waits for the end.
type ender struct{ done chan error }

func (e ender) Receive(a *rpc.Answer) {
	if !a.More {
		e.done <- a.Err
	}
}

// A warm frame of executions allocates nothing, on either side.
func TestAllocations(t *testing.T) {
	p := open(t, transport.TCP, nil)
	defer p.close()
	m := rpc.Message{Op: wire.OpExecute, Lane: rpc.Small, Body: frame("d", "d", "d", "d", "d", "d", "d", "d")}
	e := ender{make(chan error, 1)}
	exchange := func() {
		if err := p.peer.Send(&m, e); err != nil {
			t.Error(err)
		} else if err := <-e.done; err != nil {
			t.Error(err)
		}
	}
	for range 1000 {
		exchange()
	}
	// Pools may be emptied by the collector meanwhile: on average, not one.
	if n := testing.AllocsPerRun(2000, exchange); n > 0 {
		t.Errorf("%v allocations for a frame of 8 executions", n)
	}
}
