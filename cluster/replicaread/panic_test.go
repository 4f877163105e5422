package replicaread

import (
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/wire"
)

// rigged is a replica whose source panics.
type rigged struct {
	cluster.Replica
	source riggedSource
}

func (r *rigged) TryRead(*mutation.ReadCommand) (mutation.Source, error) { return &r.source, nil }

type riggedSource struct {
	mutation.Source
	fails  bool // by an assertion
	closed int
}

func (s *riggedSource) NextPartition() bool {
	invariant.Check(!s.fails, "as told")
	panic("as told")
}

func (s *riggedSource) Close() { s.closed++ }

// A page whose making panics holds nothing of the store back. But the source is
// not closed after an assertion that failed: it may want a lock that was left
// locked, and the process would not end.
func TestPageClosesOnPanic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a"}, nil)
		n.everywhere(nil)
		rd := n.nodes[0].rd
		for _, fails := range []bool{false, true} {
			r := &rigged{source: riggedSource{fails: fails}}
			rd.cfg.Replica = r
			func() {
				defer func() {
					if recover() == nil {
						t.Error("there was no panic")
					}
				}()
				var s store
				t.Error(s.read(t.Context(), rd, &wire.Read{ReadCommand: *n.command()}, true))
			}()
			if got := r.source.closed == 0; got != fails {
				t.Errorf("an assertion fails: %v; closed %d times", fails, r.source.closed)
			}
		}
	})
}
