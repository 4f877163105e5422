package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/compaction"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

var table0 = schema.TableID{15: 1}

// deleteRow is a row deletion at a timestamp, made at a local time in seconds.
func deleteRow(table int, key string, c, ts int64, local uint32) mutation.Record {
	var b mutation.Builder
	b.Begin(nil, mutation.Header{Table: schema.TableID{15: byte(table + 1)}, Timestamp: ts, Token: ring.Murmur3([]byte(key)), Key: []byte(key)})
	b.BeginRow(ck(c))
	b.DeleteRow(mutation.Deletion{Timestamp: ts, LocalTime: local, Set: true})
	b.EndRow()
	return b.Finish()
}

func flush(t testing.TB, e *Engine) {
	t.Helper()
	if err := e.FlushAll(); err != nil {
		t.Fatal(err)
	}
}

func compact(t testing.TB, e *Engine) {
	t.Helper()
	if err := e.Compact(context.Background(), table0); err != nil {
		t.Fatal(err)
	}
}

func tableStats(t testing.TB, e *Engine) TableStats {
	t.Helper()
	s, err := e.TableStats(table0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tombstones counts those in the table's files.
func tombstones(e *Engine) (n uint64) {
	t, _ := e.table(table0)
	v := t.pin()
	defer v.drop()
	for _, f := range v.files {
		n += f.Properties().Counts.Tombstones()
	}
	return n
}

func TestCompactMajor(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(t, fs, "/d", 1)
	e := mustOpen(t, o)
	for i := range int64(6) {
		apply(t, e, insert(0, "a", i, i, "a"), insert(0, "b", i%2, i, fmt.Sprint(i)))
		flush(t, e)
	}
	compact(t, e)
	for range 2 {
		if s := tableStats(t, e); s.Files != 1 {
			t.Errorf("%d files after a major compaction", s.Files)
		}
		if got, want := fmt.Sprint(dump(t, e, 0, "b")), "[0=4@4 1=5@5]"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got := dump(t, e, 0, "a"); len(got) != 6 {
			t.Errorf("%v", got)
		}
		names, err := fs.List("/d/data/" + fmt.Sprintf("%x", table0[:]))
		if err != nil || len(names) != 1 {
			t.Errorf("on disk: %v, %v", names, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = mustOpen(t, o)
	}
	e.Close()
}

// TestCompactionRuns waits for the loop to do by itself what is due.
func TestCompactionRuns(t *testing.T) {
	o := testOptions(t, vfs.NewMem(), "/d", 1)
	o.NoCompaction = false
	e := mustOpen(t, o)
	defer e.Close()
	for i := range int64(8) {
		apply(t, e, insert(0, "a", i, i, "a"))
		flush(t, e)
	}
	eventually(t, "files are merged", func() bool { return tableStats(t, e).Files < 4 })
	if got := dump(t, e, 0, "a"); len(got) != 8 {
		t.Errorf("%v", got)
	}
	// A compaction is counted after its files are seen.
	eventually(t, "it is counted", func() bool { s := e.Stats(); return s.Compactions > 0 && s.CompactedIn > 0 })
}

// eventually waits until ok, for work of the engine's own goroutines, as long
// as a machine under any load may take.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := clock.Real.Mono() + 4*time.Minute
	for !ok() {
		if clock.Real.Mono() > deadline {
			t.Fatalf("not within 4 min: %s", what)
		}
		clock.Real.Sleep(time.Millisecond)
	}
}

func TestPurge(t *testing.T) {
	now := uint32(clock.Real.Now().Unix())
	grace := uint32(schema.DefaultOptions().GCGraceSeconds)
	old, young := now-grace-100, now-grace+10_000
	for _, c := range []struct {
		name  string
		local uint32
		do    func(t *testing.T, e *Engine)
		want  uint64
	}{
		{"goes", old, nil, 0},
		{"too young", young, nil, 1},
		{"older data in a memtable", old, func(t *testing.T, e *Engine) { apply(t, e, insert(0, "p", 7, 2, "late")) }, 1},
		{"newer data in a memtable", old, func(t *testing.T, e *Engine) { apply(t, e, insert(0, "p", 7, 50, "late")) }, 0},
		{"older data of another partition in a memtable", old, func(t *testing.T, e *Engine) { apply(t, e, insert(0, "q", 7, 2, "late")) }, 0},
		{"bound of a range that does not hold it", old, func(t *testing.T, e *Engine) {
			token := ring.Murmur3([]byte("p"))
			r := mutation.PartitionRange{End: &mutation.PartitionBound{Token: token}}
			if err := e.SetPurgeBound(table0, r, now); err != nil {
				t.Fatal(err)
			}
		}, 1},
		{"bound below", old, func(t *testing.T, e *Engine) {
			if err := e.SetPurgeBound(table0, mutation.PartitionRange{}, old-1); err != nil {
				t.Fatal(err)
			}
		}, 1},
		{"bound at", old, func(t *testing.T, e *Engine) {
			if err := e.SetPurgeBound(table0, mutation.PartitionRange{}, old); err != nil {
				t.Fatal(err)
			}
			if err := e.SetPurgeBound(table0, mutation.PartitionRange{}, 0); err != nil {
				t.Fatal(err)
			}
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
			defer e.Close()
			apply(t, e, insert(0, "p", 1, 3, "x"))
			flush(t, e)
			apply(t, e, deleteRow(0, "p", 1, 10, c.local))
			flush(t, e)
			if c.do != nil {
				c.do(t, e)
			}
			compact(t, e)
			if got := tombstones(e); got != c.want {
				t.Errorf("%d tombstones, want %d", got, c.want)
			}
			for _, r := range dump(t, e, 0, "p") {
				if r == "1=x@3" {
					t.Error("the deleted row is back")
				}
			}
			want := uint32(0)
			if c.want == 0 {
				want = c.local
			}
			if got := e.manifest.State().Tables[table0].PurgedTo; got != want {
				t.Errorf("manifest: purged to %d, want %d", got, want)
			}
		})
	}
}

// TestPurgeReplicated keeps every tombstone of a table with other replicas
// until a bound says that they have had it.
func TestPurgeReplicated(t *testing.T) {
	old := uint32(clock.Real.Now().Unix()) - uint32(schema.DefaultOptions().GCGraceSeconds) - 100
	for _, c := range []struct {
		name        string
		replication map[string]string
		bound       uint32
		want        uint64
	}{
		{"one", map[string]string{"class": "SimpleStrategy", "replication_factor": "1"}, 0, 0},
		{"three", map[string]string{"class": "SimpleStrategy", "replication_factor": "3"}, 0, 1},
		{"two data centres", map[string]string{"class": "NetworkTopologyStrategy", "dc1": "1", "dc2": "1"}, 0, 1},
		{"three with a bound", map[string]string{"class": "SimpleStrategy", "replication_factor": "3"}, old, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := testOptions(t, vfs.NewMem(), "/d", 1)
			o.ExplicitPurge = true
			o.Schema.Keyspaces["ks"].Replication = c.replication
			e := mustOpen(t, o)
			defer func() { e.Close() }()
			apply(t, e, deleteRow(0, "p", 1, 10, old))
			flush(t, e)
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			e = mustOpen(t, o)
			if c.bound != 0 {
				if err := e.SetPurgeBound(table0, mutation.PartitionRange{}, c.bound); err != nil {
					t.Fatal(err)
				}
			}
			compact(t, e)
			if got := tombstones(e); got != c.want {
				t.Errorf("%d tombstones, want %d", got, c.want)
			}
		})
	}
}

// TestPurgeOtherFile keeps a tombstone while a file that is not an input may
// hold what it shadows.
func TestPurgeOtherFile(t *testing.T) {
	e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
	defer e.Close()
	old := uint32(clock.Real.Now().Unix()) - uint32(schema.DefaultOptions().GCGraceSeconds) - 100
	apply(t, e, insert(0, "p", 1, 3, "x"))
	flush(t, e)
	apply(t, e, deleteRow(0, "p", 1, 10, old), insert(0, "q", 1, 3, "y"))
	flush(t, e)
	tab, _ := e.table(table0)
	k := e.claimFiles(tab, func(f *file) bool { return f.Properties().Counts.Tombstones() > 0 })
	if err := e.run(context.Background(), k); err != nil {
		t.Fatal(err)
	}
	if got := tombstones(e); got != 1 {
		t.Errorf("%d tombstones, want 1", got)
	}
	if got := dump(t, e, 0, "p"); len(got) != 0 {
		t.Errorf("%v", got)
	}
	compact(t, e)
	if got := tombstones(e); got != 0 {
		t.Errorf("%d tombstones after all, want 0", got)
	}
}

// TestCompactionMeetsTruncate ends a task whose inputs are gone without a
// trace.
func TestCompactionMeetsTruncate(t *testing.T) {
	for _, drop := range []bool{false, true} {
		fs := vfs.NewMem()
		o := testOptions(t, fs, "/d", 1)
		e := mustOpen(t, o)
		for i := range int64(2) {
			apply(t, e, insert(0, "p", i, i, "x"))
			flush(t, e)
		}
		tab, _ := e.table(table0)
		k := e.claimFiles(tab, func(*file) bool { return true })
		var err error
		if drop {
			err = e.ApplySchema(testSchema(t, 0))
		} else {
			err = e.Truncate(context.Background(), table0, 0, 99)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := e.run(context.Background(), k); err != nil {
			t.Fatal(err)
		}
		if v := tab.pin(); len(v.files) != 0 {
			t.Errorf("drop %t: %d files are back", drop, len(v.files))
		} else {
			v.drop()
		}
		if names, err := fs.List(tab.dir()); err != nil || len(names) != 0 {
			t.Errorf("drop %t: left on disk: %v, %v", drop, names, err)
		}
		if n := len(e.Tasks()); n != 0 {
			t.Errorf("%d tasks", n)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCompactionFails fails every call of a compaction that changes the disk;
// the inputs stay and nothing is left over.
func TestCompactionFails(t *testing.T) {
	failed, more := 0, true
	for n := 1; more; n++ {
		mem := vfs.NewMem()
		o := testOptions(t, mem, "/d", 1)
		f := vfs.NewFault(mem, o.Clock)
		o.FS = f
		e := mustOpen(t, o)
		for i := range int64(3) {
			apply(t, e, insert(0, "p", i, i, "x"))
			flush(t, e)
		}
		armed := f.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpCreate, vfs.OpWrite, vfs.OpSync), Glob: "*.sst", Err: vfs.ErrNoSpace, Nth: n, Times: 2})
		err := e.Compact(context.Background(), table0)
		armed.Remove()
		more = armed.Fired() > 0
		if got := dump(t, e, 0, "p"); len(got) != 3 {
			t.Fatalf("call %d: %v", n, got)
		}
		names, lerr := mem.List("/d/data/" + fmt.Sprintf("%x", table0[:]))
		if lerr != nil {
			t.Fatal(lerr)
		}
		if err != nil {
			failed++
			if s := tableStats(t, e); s.Files != 3 || len(names) != 3 {
				t.Fatalf("call %d, %v: %d files, left on disk: %v", n, err, s.Files, names)
			}
		} else if s := tableStats(t, e); s.Files != 1 {
			t.Fatalf("call %d: %d files", n, s.Files)
		}
		if e.Err() != nil {
			t.Error(e.Err())
		}
		e.Close()
	}
	if failed < 3 {
		t.Errorf("only %d failures", failed)
	}
}

// expiring is an insert whose cell and marker expire.
func expiring(key string, c, ts int64, ttl, expiry uint32) mutation.Record {
	var b mutation.Builder
	b.Begin(nil, mutation.Header{Table: table0, Timestamp: ts, Token: ring.Murmur3([]byte(key)), Key: []byte(key)})
	b.BeginRow(ck(c))
	b.Marker(mutation.Marker{Timestamp: ts, Set: true, TTL: ttl, Expiry: expiry})
	b.Cell(mutation.Cell{Column: 3, Flags: mutation.CellExpiring, Timestamp: ts, TTL: ttl, LocalTime: expiry, Value: []byte("v")})
	b.EndRow()
	return b.Finish()
}

// TestExpiredFileIsDropped drops a file unread once all in it has expired and
// the grace period is over.
func TestExpiredFileIsDropped(t *testing.T) {
	var offset time.Duration
	o := testOptions(t, vfs.NewMem(), "/d", 1)
	o.Clock = clock.Skewed{Clock: clock.Real, Offset: func() time.Duration { return offset }}
	e := mustOpen(t, o)
	defer e.Close()
	now := e.seconds()
	apply(t, e, expiring("p", 1, int64(now)*1e6, 60, now+60))
	flush(t, e)
	apply(t, e, insert(0, "q", 1, int64(now)*1e6+5, "stays"))
	flush(t, e)
	tab, _ := e.table(table0)
	pick := func() []*task { return e.claim(tab, mostUrgent) }
	if k := pick(); len(k) != 0 {
		t.Fatalf("%v is due", k[0].pick)
	}
	offset = time.Duration(schema.DefaultOptions().GCGraceSeconds+100) * time.Second
	k := pick()
	if len(k) != 1 {
		t.Fatal("nothing is due")
	}
	if err := e.run(context.Background(), k[0]); err != nil {
		t.Fatal(err)
	}
	if s := tableStats(t, e); s.Files != 1 || e.Stats().ExpiredFiles != 1 {
		t.Errorf("%+v %+v", s, e.Stats())
	}
	if got := dump(t, e, 0, "q"); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// TestCompactWithoutSpace refuses a task whose output might not fit.
func TestCompactWithoutSpace(t *testing.T) {
	fs := vfs.NewMem()
	e := mustOpen(t, testOptions(t, fs, "/d", 1))
	defer e.Close()
	for i := range int64(2) {
		apply(t, e, insert(0, "p", i, i, "x"))
		flush(t, e)
	}
	u, err := fs.DiskUsage("/d")
	if err != nil {
		t.Fatal(err)
	}
	fs.SetCapacity(int64(u.Total-u.Free) + 8192)
	if err := e.Compact(context.Background(), table0); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("%v", err)
	}
	fs.SetCapacity(0)
	compact(t, e)
	if s := tableStats(t, e); s.Files != 1 {
		t.Errorf("%d files", s.Files)
	}
}

// TestCompactionYields waits while a memtable is being written.
func TestCompactionYields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
		for i := range int64(2) {
			apply(t, e, insert(0, "p", i, i, "x"))
			flush(t, e)
		}
		e.flushBegins()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- e.yield(ctx) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("went on during a flush: %v", err)
		default:
		}
		e.flushEnds()
		if err := <-done; err != nil {
			t.Error(err)
		}
		e.flushBegins()
		go func() { done <- e.yield(ctx) }()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		e.flushEnds()

		tab, _ := e.table(table0)
		k := e.claimFiles(tab, func(*file) bool { return true })
		if all := e.Tasks(); len(all) != 1 || all[0].Table != table0 || all[0].Kind != "merge" || all[0].Total == 0 {
			t.Errorf("%+v", all)
		}
		if n := len(e.claim(tab, compaction.Major)); n != 0 {
			t.Errorf("%d tasks over files of another", n)
		}
		e.release(k)
		if n := len(e.Tasks()); n != 0 {
			t.Errorf("%d tasks", n)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if err := e.Compact(context.Background(), table0); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestCloseWaitsForReads keeps what an open source reads.
func TestCloseWaitsForReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
		apply(t, e, insert(0, "p", 1, 1, "x"))
		flush(t, e)
		apply(t, e, insert(0, "p", 2, 1, "y"))
		src, err := e.Read(context.Background(), &mutation.ReadCommand{Table: table0})
		if err != nil || !src.NextPartition() {
			t.Fatal(err)
		}
		closed := make(chan error, 1)
		go func() { closed <- e.Close() }()
		<-e.closing
		src.Seek(nil)
		n := 0
		for src.Next() {
			n++
		}
		if n != 2 || src.Err() != nil {
			t.Errorf("%d rows, %v", n, src.Err())
		}
		src.Close()
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}
