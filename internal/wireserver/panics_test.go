package wireserver_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// What a frame has been counted for is counted out when one of its statements
// panics, wherever that is: nothing is left that a drain waits for.
func TestPanicsAreCountedOut(t *testing.T) {
	query := func(text string) func(*pair) *got {
		return func(p *pair) *got { return p.send(wire.OpQuery, (&wire.Query{Text: text}).Append(nil)) }
	}
	execute := func(values ...string) func(*pair) *got {
		return func(p *pair) *got { return p.send(wire.OpExecute, frame(values...)) }
	}
	for name, send := range map[string]func(*pair) *got{
		"on the reader":           execute("p", "x", "d"),
		"on a worker":             execute("p", "bx", "d"),
		"on two workers":          execute("bx", "d", "bx"),
		"in a read with others":   execute("R0", "p", "P", "W"),
		"of a frame's only one":   query("x"),
		"of that one on a worker": query("bx"),
		"when it is resumed": func(p *pair) *got {
			g := p.send(wire.OpExecute, frame("p", "d"))
			synctest.Wait()
			p.fake.pending[0].Resume(func(*session.Request) session.Status { panic("as told") })
			return g
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := open(t, &transport.Mem{}, nil)
				defer p.close()
				if g := send(p).wait(); !errors.Is(g.err, rpc.ErrPeerDown) {
					t.Errorf("%+v", g)
				}
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := p.server.Drain(ctx); err != nil {
					t.Errorf("statements are in work still: %v", err)
				}
			})
		})
	}
}
