package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// testSchema is a snapshot with n tables ks.tI: a blob key, a bigint
// clustering, a blob value.
func testSchema(t testing.TB, n int) *schema.Snapshot {
	t.Helper()
	s := schema.NewSnapshot()
	var err error
	ks := &schema.Keyspace{Name: "ks", Replication: map[string]string{"class": "SimpleStrategy", "replication_factor": "1"}, DurableWrites: true}
	if s, err = s.Apply(schema.Change{Kind: schema.CreateKeyspace, Keyspace: ks}, 1); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		def := &schema.Table{
			ID: schema.TableID{15: byte(i + 1)}, Keyspace: "ks", Name: fmt.Sprintf("t%d", i),
			PartitionKey: []*schema.Column{{ID: 1, Name: "k", Kind: schema.PartitionKey, Type: schema.TypeBlob}},
			Clustering:   []*schema.Column{{ID: 2, Name: "c", Kind: schema.Clustering, Type: schema.TypeBigint}},
			Regular:      []*schema.Column{{ID: 3, Name: "v", Kind: schema.Regular, Position: -1, Type: schema.TypeBlob}},
			NextColumnID: 4, Options: schema.DefaultOptions(),
		}
		def.Init()
		if s, err = s.Apply(schema.Change{Kind: schema.CreateTable, Table: def}, uint64(i+2)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func testOptions(t testing.TB, fs vfs.FS, dir string, tables int) Options {
	return Options{
		FS: fs, Dir: dir, Clock: clock.Real, Rand: rand.NewSeeded(1), Schema: testSchema(t, tables),
		Budget: mem.NewBudget(512 << 20), SegmentSize: 1 << 20, NoCompaction: true,
	}
}

func mustOpen(t testing.TB, o Options) *Engine {
	t.Helper()
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func ck(c int64) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(c)^1<<63)
	return append(b, 0x40)
}

func insert(table int, key string, c, ts int64, v string) mutation.Record {
	var b mutation.Builder
	b.Begin(nil, mutation.Header{Table: schema.TableID{15: byte(table + 1)}, Timestamp: ts, Token: ring.Murmur3([]byte(key)), Key: []byte(key)})
	b.BeginRow(ck(c))
	b.Marker(mutation.Marker{Timestamp: ts, Set: true})
	b.Cell(mutation.Cell{Column: 3, Timestamp: ts, Value: []byte(v)})
	b.EndRow()
	return b.Finish()
}

func apply(t testing.TB, e *Engine, recs ...mutation.Record) {
	t.Helper()
	if err := e.ApplySync(context.Background(), recs...); err != nil {
		t.Fatal(err)
	}
}

// place is the clustering that ck has made.
func place(clustering []byte) int64 {
	return int64(binary.BigEndian.Uint64(clustering) ^ 1<<63)
}

// dump is tryDump that must work.
func dump(t testing.TB, e *Engine, table int, key string) []string {
	t.Helper()
	out, err := tryDump(e, table, key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWriteFlushReopen(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(t, vfs.OS, dir, 2)
	e := mustOpen(t, o)
	apply(t, e, insert(0, "a", 1, 10, "one"))
	apply(t, e, insert(0, "a", 2, 10, "two"), insert(1, "a", 9, 10, "nine"))
	check := func(when string) {
		t.Helper()
		if got, want := fmt.Sprint(dump(t, e, 0, "a")), "[1=one@10 2=two@10]"; got != want {
			t.Fatalf("%s: %s, want %s", when, got, want)
		}
		if got, want := fmt.Sprint(dump(t, e, 1, "a")), "[9=nine@10]"; got != want {
			t.Fatalf("%s: %s, want %s", when, got, want)
		}
	}
	check("in memory")
	reopen := func() {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = mustOpen(t, o)
	}
	reopen()
	check("replayed")
	if err := e.Flush(schema.TableID{15: 1}); err != nil {
		t.Fatal(err)
	}
	check("one flushed")
	reopen()
	check("one flushed, replayed")
	if err := e.FlushAll(); err != nil {
		t.Fatal(err)
	}
	reopen()
	check("both flushed")
	apply(t, e, insert(0, "a", 1, 11, "uno"))
	if got, want := fmt.Sprint(dump(t, e, 0, "a")), "[1=uno@11 2=two@10]"; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTruncateIsNotReplayed(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(t, vfs.OS, dir, 1)
	e := mustOpen(t, o)
	apply(t, e, insert(0, "a", 1, 10, "flushed"))
	if err := e.FlushAll(); err != nil {
		t.Fatal(err)
	}
	apply(t, e, insert(0, "a", 2, 1<<60, "logged"))
	if err := e.Truncate(context.Background(), schema.TableID{15: 1}, 0, 99); err != nil {
		t.Fatal(err)
	}
	apply(t, e, insert(0, "a", 3, 1, "after"))
	for range 2 {
		if got, want := fmt.Sprint(dump(t, e, 0, "a")), "[3=after@1]"; got != want {
			t.Fatalf("%s, want %s", got, want)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = mustOpen(t, o)
	}
	e.Close()
}
