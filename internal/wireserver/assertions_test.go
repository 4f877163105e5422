package wireserver

import (
	"context"
	"log/slog"
	"math"
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/wire/rpc"
)

// failing is a handler in which an assertion fails.
type failing struct{ session.Handler }

func (failing) TryExecute(*session.Request) session.Status { return assertFalse(nil) }

func (failing) Execute(context.Context, *session.Request) session.Status { return assertFalse(nil) }

func assertFalse(*session.Request) session.Status {
	invariant.Check(false, "asked to")
	return session.Done
}

// A failed assertion gets past every place that recovers from panics.
func TestAssertionsArePassedOn(t *testing.T) {
	s, err := New(Config{Topology: func() *cluster.Topology { return nil }, Log: slog.New(slog.DiscardHandler)}, failing{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	one := func() *execution {
		e := &execution{b: &batch{s: s}}
		e.Deadline = math.MaxInt64
		return e
	}
	for name, run := range map[string]func(){
		"worker": func() { one().run() },
		"worker of a group": func() {
			e := one()
			e.group = 1
			e.run()
		},
		"who resumes": func() { one().Resumed(nil, assertFalse) },
		// Its request was answered before: that is asserted, too.
		"worker that prepares": func() { (&preparation{s: s, r: new(rpc.Request)}).run() },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p := recover(); p == nil {
					t.Error("nothing gets through")
				}
				if n := s.stats.panics.Load(); n != 0 {
					t.Errorf("%d panics are counted as those of requests", n)
				}
			}()
			run()
		})
	}
}
