package rpc

import (
	"log/slog"
	"testing"

	"github.com/ilion-db/ilion/internal/invariant"
)

// A failed assertion gets past the place that recovers from panics, and waits for
// no mutex on its way.
func TestAssertionsArePassedOn(t *testing.T) {
	e := &Endpoint{cfg: Config{Log: slog.New(slog.DiscardHandler)}}
	defer func() {
		err, ok := recover().(error)
		if !ok || err.Error() != "bug: asked to" || e.stats.Panics.Load() != 0 {
			t.Errorf("what gets through is %v; %d panics are counted as those of handlers", err, e.stats.Panics.Load())
		}
	}()
	c := e.newConn()
	err := func() (err error) {
		defer c.recovered(&err)
		c.mu.Lock()
		invariant.Check(false, "asked to")
		return nil
	}()
	t.Errorf("it ends the connection: %v", err)
}
