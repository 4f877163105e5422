package node_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/admin"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/query"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
)

// TestStampsOutliveAFlush kills a node whose stamps are far ahead of the clock
// that it has after its restart, with the row in the log, or in a table file
// alone: the second write of the row must win.
func TestStampsOutliveAFlush(t *testing.T) {
	for name, flushes := range map[string]int{"log": 0, "file": 1, "file, after a replay": 2} {
		t.Run(name, func(t *testing.T) {
			var ahead atomic.Int64
			ahead.Store(int64(time.Hour))
			skewed := clock.Skewed{Clock: clock.Real, Offset: func() time.Duration { return time.Duration(ahead.Load()) }}
			disk := vfs.NewMem()
			on := func() node.Options {
				o := options(disk, "/data")
				o.Clock = skewed
				return o
			}
			n := start(t, on())
			crash := func() {
				t.Helper()
				disk = disk.CrashClone(vfs.CrashOptions{})
				n.stop()
				n = start(t, on())
			}
			n.do(createKS)
			n.do("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
			n.do("INSERT INTO ks.t (k, v) VALUES (1, 1)")
			ahead.Store(0)
			if flushes == 2 {
				crash()
			}
			if flushes > 0 {
				if err := n.flush("s"); err != nil {
					t.Fatal(err)
				}
			}
			crash()
			n.do("INSERT INTO ks.t (k, v) VALUES (1, 2)")
			rows, err := n.Query().Query(t.Context(), query.Statement{Text: "SELECT v FROM ks.t WHERE k = 1 AND v = 2 ALLOW FILTERING", Consistency: ring.One})
			if err != nil {
				t.Fatal(err)
			}
			if !rows.Next() {
				t.Errorf("the later write has lost: %v", rows.Err())
			}
		})
	}
}

// TestStampsFarAhead starts a node whose clock was an hour ahead before: it says
// so, once.
func TestStampsFarAhead(t *testing.T) {
	var said atomic.Int64
	o := options(vfs.NewMem(), "/data")
	o.Log = slog.New(counting{slog.DiscardHandler, "far ahead of its clock", &said})
	o.Clock = clock.Skewed{Clock: clock.Real, Offset: func() time.Duration { return time.Hour }}
	n := start(t, o)
	n.do(createKS)
	n.do("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
	n.do("INSERT INTO ks.t (k, v) VALUES (1, 1)")
	n.stop()
	if said.Load() != 0 {
		t.Error("said of a clock that is right")
	}
	o.Clock = clock.Real
	start(t, o).stop()
	if said.Load() != 1 {
		t.Errorf("said %d times", said.Load())
	}
}

// counting counts messages that hold a text.
type counting struct {
	slog.Handler
	text string
	n    *atomic.Int64
}

func (c counting) Enabled(context.Context, slog.Level) bool { return true }

func (c counting) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, c.text) {
		c.n.Add(1)
	}
	return nil
}

// TestFlushWaitsForStamps has a full disk refuse the mark that a flush keeps
// first: the row stays where it is, and the flush is done when there is space.
func TestFlushWaitsForStamps(t *testing.T) {
	disk := vfs.NewFault(vfs.NewMem(), nil)
	n := start(t, options(disk, "/data"))
	n.do(createKS)
	n.do("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
	n.do("INSERT INTO ks.t (k, v) VALUES (1, 1)")
	snapshots := func() []string {
		t.Helper()
		all, err := disk.List("/data/snapshots")
		if err != nil && !errors.Is(err, vfs.ErrNotExist) {
			t.Fatal(err)
		}
		return all
	}
	full := disk.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpCreate, vfs.OpWrite), Glob: "/data/identity*", Times: -1, Err: vfs.ErrNoSpace})
	if err := n.flush("a"); err == nil || full.Fired() == 0 || len(snapshots()) != 0 {
		t.Errorf("flushed, with %d writes of the mark refused: %v; %v", full.Fired(), err, snapshots())
	}
	full.Remove()
	if err := n.flush("b"); err != nil || len(snapshots()) != 1 {
		t.Errorf("%v: %v", snapshots(), err)
	}
	select {
	case <-n.Failed():
		t.Error(n.FailedErr())
	default:
	}
}

func (r *running) do(text string) {
	r.t.Helper()
	if err := r.Query().Exec(r.t.Context(), query.Statement{Text: text, Consistency: ring.One}); err != nil {
		r.t.Fatalf("%s: %v", text, err)
	}
}

// flush takes a snapshot of ks.t: what it holds has been flushed.
func (r *running) flush(tag string) error {
	q := url.Values{"keyspace": {"ks"}, "table": {"t"}, "tag": {tag}}
	return admin.Post(r.t.Context(), r.HTTPAddr().String(), admin.SnapshotPath, q, &admin.Done{})
}
