package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// TestReplayManyTables replays more than fits into memory: several tables,
// rows small and large, with flushes on the way. The start after that replays
// nothing of the tables of which these have written something.
func TestReplayManyTables(t *testing.T) { synctest.Test(t, replayManyTables) }

func replayManyTables(t *testing.T) {
	const tables, keys = 5, 400
	o := testOptions(t, vfs.NewMem(), "/d", tables)
	o.Sync, o.LogSize, o.Lanes, o.SegmentSize = commitlog.Periodic, 1<<30, 2, 8<<20
	small := o
	small.Budget, small.MemtableSize = mem.NewBudget(32<<20), 1<<20
	e := mustOpen(t, o)
	defer func() { e.Close() }() // a bubble ends with all that runs in it
	value := func(table, i int) string {
		n := 100
		if i%50 == 0 {
			n = 300 << 10 // more than a batch
		}
		return strings.Repeat(fmt.Sprintf("%d.%d ", table, i), n/6)
	}
	var inLog [tables]int64 // records
	for i := range keys {
		var group []mutation.Record
		for table := range tables {
			if i%3 == 0 || table == i%tables {
				inLog[table]++
				group = append(group, insert(table, fmt.Sprint("k", i), int64(i), int64(i+1), value(table, i)))
			}
		}
		apply(t, e, group...)
	}
	check := func(when string, o Options) {
		t.Helper()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = mustOpen(t, o)
		synctest.Wait() // for the flushes that follow
		var want int64
		for _, n := range inLog {
			want += n
		}
		if n := e.Replayed().Records; n != want {
			t.Fatalf("%s: %d records replayed, want %d", when, n, want)
		}
		for i := range keys {
			for table := range tables {
				got := dump(t, e, table, fmt.Sprint("k", i))
				var want []string
				if i%3 == 0 || table == i%tables {
					want = []string{fmt.Sprintf("%d=%s@%d", i, value(table, i), i+1)}
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("%s: table %d, key %d: %.100v, want %.100v", when, table, i, got, want)
				}
			}
		}
	}
	check("into memory", o)
	check("with flushes", small)
	for table := range tables { // which have files depends on how fast the flushes are
		if len(e.allTables()[schema.TableID{15: byte(table + 1)}].current.Load().files) > 0 {
			inLog[table] = 0
		}
	}
	if e.Stats().Flushes == 0 {
		t.Error("no flush: the test is too small")
	}
	check("what is in files already", small)
}

// TestReplayRefuses stops a start at a record that no memtable takes, and gives
// everything back.
func TestReplayRefuses(t *testing.T) {
	o := testOptions(t, vfs.NewMem(), "/d", 1)
	e := mustOpen(t, o)
	apply(t, e, insert(0, "p", 1, 1, "v"))
	good := insert(0, "p", 2, 2, "v")
	bad := mutation.Record(append([]byte(nil), good[:len(good)-1]...))
	if _, err := e.log.AppendSync([][]byte{good, bad}); err != nil {
		t.Fatal(err)
	}
	apply(t, e, insert(0, "p", 3, 3, "v"))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if e, err := Open(o); !errors.Is(err, mutation.ErrCorrupt) {
		t.Fatalf("%v, %v", e, err)
	}
	if used := o.Budget.Share(mem.Memtable).Used(); used != 0 {
		t.Errorf("%d bytes of memtables are still charged", used)
	}
}

// TestMalformedIsRefused refuses a record before the log has it: alone, in a
// batch, and of a keyspace without a log.
func TestMalformedIsRefused(t *testing.T) {
	o := testOptions(t, vfs.NewMem(), "/d", 2)
	e := mustOpen(t, o)
	apply(t, e, insert(0, "p", 1, 1, "v"))
	good := insert(0, "p", 2, 2, "v")
	cut := append(mutation.Record(nil), good[:len(good)-1]...)
	var b mutation.Builder
	k := keyOf("p")
	b.Begin(nil, mutation.Header{Table: table0, Timestamp: 9, Token: k.Token, Key: k.Key})
	b.DeleteRange(make([]byte, mutation.MaxKeyLen+1), nil, mutation.Deletion{Timestamp: 9, LocalTime: 1, Set: true})
	long := append(mutation.Record(nil), cut...)
	if !invariant.Enabled { // which refuse to build it
		long = b.Finish()
	}
	for i, group := range [][]mutation.Record{{cut}, {long}, {good, cut}, {insert(1, "p", 1, 1, "v"), long}} {
		if err := e.ApplySync(context.Background(), group...); !errors.Is(err, mutation.ErrCorrupt) {
			t.Errorf("group %d: %v", i, err)
		}
	}
	apply(t, e, insert(0, "p", 3, 3, "v"))
	for range 2 {
		if got := dump(t, e, 0, "p"); len(got) != 2 || e.Err() != nil {
			t.Errorf("%v, %v", got, e.Err())
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = mustOpen(t, o)
	}
	e.Close()
}
