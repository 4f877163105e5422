package engine

import (
	"context"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// TestPurgedTo remembers, over restarts too, of which time the newest tombstone
// was that has been purged.
func TestPurgedTo(t *testing.T) {
	now := uint32(clock.Real.Now().Unix())
	old := now - uint32(schema.DefaultOptions().GCGraceSeconds) - 100
	o := testOptions(t, vfs.NewMem(), "/d", 2)
	e := mustOpen(t, o)
	defer func() { e.Close() }()
	check := func(what string, want uint32) {
		t.Helper()
		if got := e.PurgedTo(table0); got != want {
			t.Errorf("%s: purged to %d, want %d", what, got, want)
		}
		if got := e.PurgedTo(schema.TableID{15: 2}); got != 0 {
			t.Errorf("%s: another table is purged to %d", what, got)
		}
	}
	apply(t, e, deleteRow(0, "p", 1, 10, old), deleteRow(0, "p", 2, 10, old-5), deleteRow(0, "p", 3, 10, now))
	flush(t, e)
	check("before", 0)
	compact(t, e)
	check("after", old)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = mustOpen(t, o)
	check("after a restart", old)
	apply(t, e, deleteRow(0, "p", 4, 10, old-1))
	flush(t, e)
	compact(t, e)
	check("after what is older", old)
	if got := e.PurgedTo(schema.TableID{15: 9}); got != 0 {
		t.Errorf("a table that is not there is purged to %d", got)
	}
}

// TestPurgingCounts has what a running task may purge count as purged, since it
// may have looked already for what that shadows.
func TestPurgingCounts(t *testing.T) {
	e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
	defer e.Close()
	apply(t, e, insert(0, "p", 1, 3, "x"))
	flush(t, e)
	tab, _ := e.table(table0)
	k := e.claimFiles(tab, func(*file) bool { return true })
	k.willPurge(7)
	if got := e.PurgedTo(table0); got != 7 {
		t.Errorf("purged to %d while a task runs", got)
	}
	e.release(k)
	if got := e.PurgedTo(table0); got != 0 {
		t.Errorf("purged to %d after a task that has purged nothing", got)
	}
}

// TestExpiredFileCountsAsPurged is for a file that is dropped unread.
func TestExpiredFileCountsAsPurged(t *testing.T) {
	var offset time.Duration
	o := testOptions(t, vfs.NewMem(), "/d", 1)
	o.Clock = clock.Skewed{Clock: clock.Real, Offset: func() time.Duration { return offset }}
	e := mustOpen(t, o)
	defer e.Close()
	now := e.seconds()
	apply(t, e, expiring("p", 1, int64(now)*1e6, 60, now+60))
	flush(t, e)
	offset = time.Duration(schema.DefaultOptions().GCGraceSeconds+100) * time.Second
	tab, _ := e.table(table0)
	k := e.claim(tab, mostUrgent)
	if len(k) != 1 {
		t.Fatal("nothing is due")
	}
	if err := e.run(context.Background(), k[0]); err != nil {
		t.Fatal(err)
	}
	if got := e.PurgedTo(table0); got != now+60 {
		t.Errorf("purged to %d, want %d", got, now+60)
	}
}
