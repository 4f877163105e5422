package query

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/mutation"
)

// lateClock can be made to jump, and can let timers end at once.
type lateClock struct {
	clock.Clock
	ahead atomic.Int64
	hurry atomic.Bool
}

func (c *lateClock) Mono() time.Duration { return c.Clock.Mono() + time.Duration(c.ahead.Load()) }

func (c *lateClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	if c.hurry.Load() {
		f()
		d = time.Hour
	}
	return c.Clock.AfterFunc(d, f)
}

func TestDeadlines(t *testing.T) {
	late := &lateClock{Clock: clock.Real}
	db := newDB(t, func(c *Config) { c.Clock = late })
	db.keyspace()
	db.exec("CREATE TABLE t (k int, c int, PRIMARY KEY (k, c))")
	for c := range 300 {
		db.exec("INSERT INTO t (k, c) VALUES (1, ?)", c)
	}
	db.store.BeforeRead = func(*mutation.ReadCommand, bool) error {
		late.ahead.Add(int64(2 * patience))
		return nil
	}
	db.fails(native.CodeReadTimeout, "Operation timed out", "SELECT count(*) FROM t")
	db.store.BeforeRead = nil
	db.store.BeforeApply = func(_ []mutation.Record, try bool) error {
		if try {
			return mutation.ErrWouldBlock
		}
		return nil
	}
	late.hurry.Store(true)
	db.fails(native.CodeWriteTimeout, "Operation timed out", "INSERT INTO t (k, c) VALUES (1, 1)")
	late.hurry.Store(false)
	db.exec("INSERT INTO t (k, c) VALUES (1, 1)")
}

// A caller that stops waiting leaves the write's memory alone.
func TestCallerLeavesWhileAWriteIsUnderWay(t *testing.T) {
	db := newDB(t)
	db.keyspace()
	db.exec("CREATE TABLE t (k int PRIMARY KEY)")
	var finish []func()
	ctx, cancel := context.WithCancel(context.Background())
	db.store.Acknowledge = func(done func()) {
		finish = append(finish, done)
		cancel()
	}
	if err := db.Exec(ctx, Statement{Text: "INSERT INTO ks.t (k) VALUES (1)"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	db.store.Acknowledge = nil
	db.exec("INSERT INTO t (k) VALUES (2)")
	for _, f := range finish {
		f()
	}
	db.want("1; 2", "SELECT k FROM t")
}

func TestUnpagedResultsAreBounded(t *testing.T) {
	db := newDB(t, func(c *Config) { c.MaxResult = 4000 })
	db.keyspace()
	db.exec("CREATE TABLE t (k int, c int, PRIMARY KEY (k, c))")
	for c := range 600 {
		db.exec("INSERT INTO t (k, c) VALUES (1, ?)", c)
	}
	r, err := db.Query(context.Background(), Statement{Text: "SELECT c FROM ks.t", PageSize: -1})
	if err == nil || r != nil {
		t.Error("a result beyond the bound was gathered")
	}
	rows, _ := db.query(Statement{Text: "SELECT c FROM t", PageSize: 100})
	if len(rows) != 600 {
		t.Errorf("%d rows", len(rows))
	}
	for range maxUnpaged {
		db.unpaged <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := db.Query(ctx, Statement{Text: "SELECT c FROM ks.t LIMIT 3", PageSize: -1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
