package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
)

// mixedLog is a log of 1.5 MiB of records of all kinds over so many partitions,
// none of which was flushed, and what table 0 then holds.
func mixedLog(t *testing.T, partitions int) (o Options, want string) {
	t.Helper()
	gen := mutationtest.NewGen(7)
	gen.Rows = 60
	for i := range partitions {
		key := binary.BigEndian.AppendUint32(nil, uint32(i))
		// Of some pairs both have one token.
		gen.Keys = append(gen.Keys, mutation.Key{Token: ring.Murmur3(key[:3+min(i%16, 1)]), Key: key})
	}
	model := mutationtest.NewModel()
	o = fillRuns(t, func(e *Engine) {
		for written, i := 0, 0; written < 3<<19; i++ {
			r := gen.Record()
			copy(r[4:20], table0[:]) // where a record names its table
			model.Apply(r)
			apply(t, e, r)
			if i%100 == 0 { // a small table, and a row larger than a chunk of memory
				n := 10
				if i == 2000 {
					n = 3 << 20
				}
				apply(t, e, insert(1, fmt.Sprint("k", i), 1, 1, string(make([]byte, n))))
			}
			written += len(r)
		}
	})
	return o, filled(mutationtest.Dump(model.Source(false)))
}

// plainLog is a log of so many MiB of rows, and what it holds.
func plainLog(t *testing.T, size int) (o Options, want string) {
	t.Helper()
	const row = 8 << 10
	o = fillRuns(t, func(e *Engine) {
		for i := range size << 20 / row {
			apply(t, e, insert(0, fmt.Sprint("k", i), 1, 1, strings.Repeat("v", row)))
		}
		var err error
		if want, err = tableDump(e); err != nil {
			t.Fatal(err)
		}
	})
	return o, want
}

// fillRuns lets f write to an engine that flushes nothing, and returns options
// of one with as little memory as makes its replay write files.
func fillRuns(t *testing.T, f func(*Engine)) Options {
	t.Helper()
	o := testOptions(t, vfs.NewMem(), "/d", 2)
	o.Sync, o.LogSize, o.SegmentSize = commitlog.Periodic, 1<<30, 16<<20
	e := mustOpen(t, o)
	f(e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	o.Budget, o.MemtableSize = mem.NewBudget(64<<20), 1<<20
	return o
}

// tableDump is everything in table 0.
func tableDump(e *Engine) (string, error) {
	src, err := e.Read(context.Background(), &mutation.ReadCommand{Table: table0, Now: 1, Static: true})
	if err != nil {
		return "", err
	}
	defer src.Close()
	return filled(mutationtest.Dump(src)), src.Err()
}

// TestReplayIntoFiles replays a log that is larger than the memtables may be:
// its records are sorted and become files without a memtable. The start after that
// has nothing to replay: the log was let go.
func TestReplayIntoFiles(t *testing.T) { synctest.Test(t, replayIntoFiles) }

func replayIntoFiles(t *testing.T) {
	o, want := mixedLog(t, 15_000)
	for _, when := range []string{"first", "again"} {
		e := mustOpen(t, o)
		synctest.Wait() // for the flushes that follow
		if records, flushes := e.Replayed().Records, e.Stats().Flushes; (records > 0) != (when == "first") || (flushes > 0) != (when == "first") {
			t.Errorf("%s: %d records replayed, %d files written", when, records, flushes)
		}
		if got, err := tableDump(e); err != nil || got != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", when, err, short(got), short(want))
		}
		if n := len(dump(t, e, 1, "k2000")); n != 1 {
			t.Errorf("%s: %d rows of the small table", when, n)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReplayWide replays rows of few partitions, each of which has a record of
// its own: in order, in any order, and some twice.
func TestReplayWide(t *testing.T) {
	var want string
	o := fillRuns(t, func(e *Engine) {
		for i := range int64(6_000) {
			c := i
			switch i % 3 {
			case 1:
				c = i * 7919 % 6_000
			case 2:
				c = i / 30
			}
			apply(t, e, insert(0, fmt.Sprint("k", i%3, i%7), c, i, strings.Repeat("v", 250)))
		}
		var err error
		if want, err = tableDump(e); err != nil {
			t.Fatal(err)
		}
	})
	e := mustOpen(t, o)
	defer e.Close()
	if e.Stats().Flushes == 0 {
		t.Error("no file was written")
	}
	if got, err := tableDump(e); err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, short(got), short(want))
	}
}

// TestReplayFolds replays a log whose records are for few partitions: memtables
// keep what is left of them.
func TestReplayFolds(t *testing.T) {
	o, want := mixedLog(t, 20)
	o.MemtableSize = 2 << 20
	looked := make(chan struct{}) // nothing is flushed before
	o.KeepStamps = func(int64) error { <-looked; return nil }
	e := mustOpen(t, o)
	defer e.Close()
	defer close(looked)
	if got, err := tableDump(e); err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, short(got), short(want))
	}
	mems := e.allTables()[table0].current.Load().mems
	if n := mems[len(mems)-1].Stats().Records; n == 0 {
		t.Error("nothing went to a memtable")
	}
}

// TestReplayFullDisk has no space for table files.
func TestReplayFullDisk(t *testing.T) {
	o, want := plainLog(t, 7)
	o.Budget, o.MemtableSize = mem.NewBudget(256<<20), 12<<20 // more than the rows take in memory
	disk := vfs.NewFault(o.FS, nil)
	o.FS = disk
	full := disk.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpWrite), Glob: "*.sst", Times: -1, Err: vfs.ErrNoSpace})
	e := mustOpen(t, o)
	defer e.Close()
	if got, err := tableDump(e); err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, short(got), short(want))
	}
	if full.Seen() == 0 {
		t.Error("no file was tried")
	}
}

// TestReplayRunRefuses stops a start at a record that no file takes, and gives
// everything back.
func TestReplayRunRefuses(t *testing.T) {
	o, _ := plainLog(t, 3)
	roomy := o
	roomy.MemtableSize = 64 << 20
	e := mustOpen(t, roomy)
	good := insert(0, "p", 2, 2, "v")
	if _, err := e.log.AppendSync([][]byte{good[:len(good)-1]}); err != nil {
		t.Fatal(err)
	}
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

// TestFailedStartsLeaveNothing lets starts fail behind a replay that has written
// table files: the next one, which writes them again, does not find them.
func TestFailedStartsLeaveNothing(t *testing.T) {
	o, want := plainLog(t, 3)
	disk := vfs.NewFault(o.FS, nil)
	o.FS = disk
	broken := errors.New("the log takes nothing")
	disk.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpCreate, vfs.OpWrite), Glob: "/d/commitlog/*", Times: -1, Err: broken})
	for range 2 {
		written := disk.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpCreate), Glob: "*.sst"})
		if e, err := Open(o); !errors.Is(err, broken) {
			t.Fatalf("%v, %v", e, err)
		}
		left, err := disk.List("/d/data/" + tableDir(table0))
		if err != nil || len(left) > 0 || written.Seen() == 0 {
			t.Errorf("of %d files %v are left, %v", written.Seen(), left, err)
		}
	}
	disk.Clear()
	e := mustOpen(t, o)
	defer e.Close()
	if got, err := tableDump(e); err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, short(got), short(want))
	}
}

// TestCrashWhileReplaying cuts the power at the calls of a replay that change
// the disk; each image opens and has everything.
func TestCrashWhileReplaying(t *testing.T) {
	stride := 3
	if testing.Short() || invariant.Enabled {
		stride = 13
	}
	o, want := plainLog(t, 2)
	disk, ok := o.FS.(*vfs.Mem)
	if !ok {
		t.Fatal("not in memory")
	}
	calls, images := 0, 0
	judge := func(keep int) error {
		images++
		image := o
		image.FS = disk.CrashClone(vfs.CrashOptions{Keep: keep, Rand: rand.NewSeeded(uint64(calls))})
		image.Budget = mem.NewBudget(64 << 20)
		e, err := Open(image)
		if err != nil {
			return err
		}
		defer e.Close()
		got, err := tableDump(e)
		if err == nil && got != want {
			err = fmt.Errorf("has\n%s\nwant\n%s", short(got), short(want))
		}
		return err
	}
	one := make(chan error, 1) // the first error, and one image at a time
	one <- nil
	disk.OnWriteSide(func(c vfs.Call) {
		err := <-one
		if calls++; err == nil && calls%stride == 0 {
			if err = judge(calls % 3 * 50); err != nil {
				err = fmt.Errorf("crash at call %d (%v %s, after %v): %w", calls, c.Op, c.Name, c.After, err)
			}
		}
		one <- err
	})
	e := mustOpen(t, o)
	if err := e.FlushAll(); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-one; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d images at %d calls", images, calls)
	if images*stride < 20 {
		t.Errorf("only %d calls: the log has become too small", calls)
	}
}

// TestReplayRunSort sorts records of chosen and of random tokens.
func TestReplayRunSort(t *testing.T) {
	rnd := rand.NewSeeded(1)
	for _, mask := range []uint64{1<<64 - 1, 0xff, 0xff << 56, 0x8000_0000_c000_0001, 0} {
		for _, tables := range []int{1, 5, 3000} {
			r := &replayRun{tables: make([]*table, tables)}
			for i := range 5_000 {
				r.records = append(r.records, replayRecord{
					token: rnd.Uint64() & mask, table: uint32(rnd.Uint64N(uint64(tables))), off: uint32(i),
				})
			}
			seen := map[uint32]replayRecord{}
			for _, p := range r.records {
				seen[p.off] = p
			}
			r.sort(nil)
			for i, p := range r.records {
				if seen[p.off] != p {
					t.Fatalf("mask %x, %d tables: record %d is lost or has changed", mask, tables, p.off)
				}
				delete(seen, p.off)
				if i == 0 {
					continue
				}
				if q := r.records[i-1]; q.table > p.table || q.table == p.table && q.token > p.token {
					t.Fatalf("mask %x, %d tables: %v before %v", mask, tables, q, p)
				}
			}
		}
	}
}
