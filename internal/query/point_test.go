package query

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
)

// remote answers reads of one partition as a ring does, from another goroutine.
type remote struct {
	cluster.Cluster
	fail     error // instead of a source
	mid      error // where the source ends
	started  atomic.Int32
	blocking atomic.Int32
}

func (m *remote) TryRead(*mutation.ReadCommand, ring.ConsistencyLevel) (mutation.Source, error) {
	return nil, mutation.ErrWouldBlock
}

func (m *remote) Read(ctx context.Context, cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (mutation.Source, error) {
	m.blocking.Add(1)
	return m.Cluster.Read(ctx, cmd, level)
}

func (m *remote) StartRead(cmd *mutation.ReadCommand, level ring.ConsistencyLevel, _ int64, done cluster.ReadCompleter) error {
	if len(cmd.Keys) != 1 {
		return mutation.ErrWouldBlock
	}
	m.started.Add(1)
	go func() {
		if m.fail != nil {
			done.CompleteRead(nil, m.fail)
			return
		}
		src, err := m.Cluster.Read(context.Background(), cmd, level)
		if err == nil && m.mid != nil {
			src = &broken{src, m.mid}
		}
		done.CompleteRead(src, err)
	}()
	return nil
}

// broken ends with an error behind the head of a partition.
type broken struct {
	mutation.Source
	err error
}

func (b *broken) Next() bool { return false }
func (b *broken) Err() error { return b.err }

func TestPointReadOfOtherNodes(t *testing.T) {
	db := newDB(t)
	db.keyspace()
	db.exec("CREATE TABLE t (k int, c int, v text, PRIMARY KEY (k, c))")
	for i := range 5 {
		db.exec(fmt.Sprintf("INSERT INTO t (k, c, v) VALUES (1, %d, 'v%d')", i, i))
	}
	m := &remote{Cluster: db.cluster}
	db.open(func(c *Config) { c.Cluster = m })
	w := serve(t, db)
	check := func(what string, rows int, started, blocking int32) {
		t.Helper()
		a := w.query("SELECT v FROM ks.t WHERE k = 1")
		if len(a.rows) != rows || a.err != nil {
			t.Errorf("%s: %d rows, %v", what, len(a.rows), a.err)
		}
		if m.started.Load() != started || m.blocking.Load() != blocking {
			t.Errorf("%s: %d reads without a worker, %d with one", what, m.started.Load(), m.blocking.Load())
		}
	}
	check("rows", 5, 1, 0)
	m.mid = mutation.ErrWouldBlock
	check("more than one page", 5, 2, 1)
	m.mid = nil
	if a := w.query("SELECT v FROM ks.t"); len(a.rows) != 5 || m.started.Load() != 2 {
		t.Errorf("a range: %+v", a)
	}
	m.fail = native.Unavailable(native.Quorum, 2, 1)
	if a := w.query("SELECT v FROM ks.t WHERE k = 1 AND c = 2"); a.err == nil || a.err.Code != native.CodeUnavailable {
		t.Errorf("%+v", a)
	}
	m.fail, m.mid = nil, errors.New("something broke")
	if a := w.query("SELECT v FROM ks.t WHERE k = 1 AND c = 2"); a.err == nil || a.err.Code != native.CodeServer {
		t.Errorf("%+v", a)
	}
}
