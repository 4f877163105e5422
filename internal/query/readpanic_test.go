package query

import (
	"context"
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
)

// rigged answers reads with a source that panics.
type rigged struct {
	cluster.Cluster
	source riggedSource
	away   bool // others have to be asked, who do not answer
}

func (c *rigged) TryRead(*mutation.ReadCommand, ring.ConsistencyLevel) (mutation.Source, error) {
	if c.away {
		return nil, mutation.ErrWouldBlock
	}
	return &c.source, nil
}

func (c *rigged) StartRead(*mutation.ReadCommand, ring.ConsistencyLevel, int64, cluster.ReadCompleter) error {
	return nil
}

func (c *rigged) Read(context.Context, *mutation.ReadCommand, ring.ConsistencyLevel) (mutation.Source, error) {
	return &c.source, nil
}

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

// closesOf tells how often the source of a read that panics is closed.
func closesOf(t *testing.T, c *rigged, read func()) int {
	t.Helper()
	before := c.source.closed
	func() {
		defer func() {
			if recover() == nil {
				t.Error("there was no panic")
			}
		}()
		read()
	}()
	return c.source.closed - before
}

// A read that panics holds nothing of the store back. But a source is not closed
// after an assertion that failed while it was read: it may want a lock that was
// left locked, and the process would not end.
func TestReadClosesOnPanic(t *testing.T) {
	db, q := quickDB(t)
	db.exec("CREATE TABLE lists (k int PRIMARY KEY, l list<int>)")
	c := &rigged{Cluster: q.Cluster}
	db.open(func(cfg *Config) { cfg.Cluster = c })
	for name, read := range map[string]func(){
		"on a connection's reader": func() {
			db.TryExecute(request(t, db.Processor, "SELECT v FROM t WHERE k = ? AND c = ?", int32Value(1), int32Value(2)))
		},
		"on a worker": func() {
			db.exec("SELECT v FROM t WHERE k = 1")
		},
		"of a list before a write": func() {
			db.exec("DELETE l[0] FROM lists WHERE k = 1")
		},
		"that others have answered": func() {
			c.away = true
			r := request(t, db.Processor, "SELECT v FROM t WHERE k = ? AND c = ?", int32Value(1), int32Value(2))
			db.TryExecute(r)
			c.away = false
			r.State.(*call).point.src = &c.source
			db.endRead(r)
		},
	} {
		c.source.fails = false
		if n := closesOf(t, c, read); n != 1 {
			t.Errorf("a read %s that panics closes %d times", name, n)
		}
		c.source.fails = true
		if n := closesOf(t, c, read); n != 0 {
			t.Errorf("a read %s whose assertion fails closes %d times", name, n)
		}
	}
}
