package query

import (
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
)

// rigged answers reads from memory with a source that panics.
type rigged struct {
	cluster.Cluster
	source riggedSource
}

func (c *rigged) TryRead(*mutation.ReadCommand, ring.ConsistencyLevel) (mutation.Source, error) {
	return &c.source, nil
}

type riggedSource struct {
	mutation.Source
	closed int
}

func (*riggedSource) NextPartition() bool { panic("as told") }
func (s *riggedSource) Close()            { s.closed++ }

// A read on a connection's reader that panics holds nothing of the store back.
func TestInlineReadClosesOnPanic(t *testing.T) {
	db, q := quickDB(t)
	c := &rigged{Cluster: q.Cluster}
	db.open(func(cfg *Config) { cfg.Cluster = c })
	r := request(t, db.Processor, "SELECT v FROM t WHERE k = ? AND c = ?", int32Value(1), int32Value(2))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("there was no panic")
			}
		}()
		db.TryExecute(r)
	}()
	if c.source.closed != 1 {
		t.Errorf("the source is closed %d times", c.source.closed)
	}
}
