package metadata

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/vfs"
)

// full is a disk without space: what is there can be changed and synced.
var full = vfs.Rule{Ops: vfs.OpsOf(vfs.OpCreate, vfs.OpWrite, vfs.OpPreallocate), Err: vfs.ErrNoSpace}

// TestFullDiskIsWaitedFor finds the disk full for a while at each write of a
// run in turn: once the log runs, no proposal fails.
func TestFullDiskIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		count := vfs.NewFault(vfs.NewMem(), nil)
		calls := count.Add(vfs.Rule{Ops: full.Ops})
		if err := aloneRun(count, func(int) {}); err != nil {
			t.Fatal(err)
		}
		waited := 0
		for nth := 1; nth <= calls.Seen(); nth++ {
			mem := vfs.NewMem()
			f := vfs.NewFault(mem, nil)
			rule := full
			rule.Nth, rule.Times = nth, 3
			f.Add(rule)
			acked := 0
			err := aloneRun(f, func(n int) { acked = n })
			switch {
			case err == nil && acked == 5:
				waited++
			case !errors.Is(err, vfs.ErrNoSpace) || acked > 0:
				t.Fatalf("write %d: %d acknowledged, then %v", nth, acked, err)
			}
			if got := reopened(t, mem.CrashClone(vfs.CrashOptions{})); got != acked {
				t.Fatalf("write %d: %d entries, %d were acknowledged", nth, got, acked)
			}
		}
		if waited < 15 {
			t.Errorf("only %d of %d writes were waited for", waited, calls.Seen())
		}
	})
}

// TestCloseOnAFullDisk does not wait for space, and nothing has failed.
func TestCloseOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := vfs.NewFault(vfs.NewMem(), nil)
		o, m := testOptions(0), memberN(0)
		o.Found = &m
		o.Failed = func(err error) { t.Error(err) }
		l, err := OpenReplicated(f, dir, o)
		if err != nil {
			t.Fatal(err)
		}
		l.Start(noNetwork{})
		rule := full
		rule.Times = -1
		f.Add(rule)
		ctx, cancel := within(10 * time.Second)
		defer cancel()
		if _, err := l.Propose(ctx, keyspace(0)); err == nil {
			t.Error("a proposal is acknowledged without space")
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestFailedIsTold has a write fail for good, as one does whose sync finds the
// disk full: what that has left is unknown.
func TestFailedIsTold(t *testing.T) {
	for _, rule := range []vfs.Rule{
		{Ops: vfs.OpsOf(vfs.OpWrite), Err: vfs.ErrIO},
		{Ops: vfs.OpsOf(vfs.OpSync), Err: vfs.ErrNoSpace},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := vfs.NewFault(vfs.NewMem(), nil)
			o, m := testOptions(0), memberN(0)
			o.Found = &m
			var told []error
			o.Failed = func(err error) { told = append(told, err) }
			l, err := OpenReplicated(f, dir, o)
			if err != nil {
				t.Fatal(err)
			}
			l.Start(noNetwork{})
			propose(t, l, 0)
			f.Add(rule)
			for range 2 {
				if _, err := l.Propose(context.Background(), keyspace(1)); !errors.Is(err, ErrStopped) {
					t.Error(err)
				}
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if len(told) != 1 || !errors.Is(told[0], ErrStopped) || !errors.Is(told[0], rule.Err) {
				t.Errorf("told %v", told)
			}
		})
	}
}

// TestFullDiskRefuses shows that the log of an embedded node refuses a change
// for want of space, whichever write finds it, and takes it later.
func TestFullDiskRefuses(t *testing.T) {
	for nth := 1; nth <= 2; nth++ { // the entry, and its mark
		mem := vfs.NewMem()
		f := vfs.NewFault(mem, nil)
		l := open(t, f, Options{})
		propose(t, l, 0)
		rule := full
		rule.Nth, rule.Times = nth, 1
		f.Add(rule)
		if _, err := l.Propose(context.Background(), keyspace(1)); !errors.Is(err, vfs.ErrNoSpace) {
			t.Fatal(err)
		}
		refused := open(t, mem.CrashClone(vfs.CrashOptions{}), Options{})
		if n := has(t, refused); n != 1 {
			t.Errorf("write %d: a power cut after the refusal leaves %d keyspaces", nth, n)
		}
		if err := refused.Close(); err != nil {
			t.Fatal(err)
		}
		propose(t, l, 1)
		image := mem.CrashClone(vfs.CrashOptions{})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, image, Options{})
		if n := has(t, l); n != 2 {
			t.Errorf("write %d: %d keyspaces", nth, n)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDiskPutsOffSnapshot finds the disk full at each call of a run in turn.
// A snapshot or its log that there is no space for does not stop the log of an
// embedded node; a failed sync, truncation or change of names may.
func TestFullDiskPutsOffSnapshot(t *testing.T) {
	const changes = 8
	for _, ops := range []vfs.Ops{full.Ops, vfs.WriteSide} {
		for times := 1; times <= 3; times++ {
			for nth, fired := 1, true; fired; nth++ {
				mem := vfs.NewMem()
				f := vfs.NewFault(mem, nil)
				l := open(t, f, Options{CompactAfter: 3})
				rule := f.Add(vfs.Rule{Ops: ops, Nth: nth, Times: times, Err: vfs.ErrNoSpace, DropDirty: true})
				acked, stopped := 0, false
				for acked < changes && !stopped {
					_, err := l.Propose(context.Background(), keyspace(acked))
					switch {
					case err == nil:
						acked++
					case errors.Is(err, ErrStopped):
						stopped = true
					case !errors.Is(err, vfs.ErrNoSpace):
						t.Fatal(err)
					}
					for _, keep := range []int{0, 100} {
						image := open(t, mem.CrashClone(vfs.CrashOptions{Keep: keep}), Options{})
						if got := has(t, image); got < acked || got > acked+1 || !stopped && got > acked {
							t.Fatalf("calls %b, %d from %d: a power cut leaves %d changes, %d were acknowledged", ops, times, nth, got, acked)
						}
						if err := image.Close(); err != nil {
							t.Fatal(err)
						}
					}
				}
				if stopped && ops == full.Ops {
					t.Errorf("%d writes from %d: the log has stopped after %d changes", times, nth, acked)
				}
				fired = rule.Fired() > 0
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				if !stopped {
					madeAgain(t, mem, changes)
				}
			}
		}
	}
}

// madeAgain damages the newest snapshot, which there must be: what is before it
// is enough to make it again.
func madeAgain(t *testing.T, fs *vfs.Mem, changes int) {
	t.Helper()
	image := fs.CrashClone(vfs.CrashOptions{Keep: 100})
	files, err := listFiles(image, dir)
	if err != nil || len(files.snapshots) == 0 {
		t.Fatalf("files %v, %v", files, err)
	}
	newest := snapshotName(dir, files.snapshots[len(files.snapshots)-1])
	if err := vfs.WriteFileAtomic(image, newest, []byte("rot")); err != nil {
		t.Fatal(err)
	}
	l := open(t, image, Options{})
	if n := has(t, l); n != changes {
		t.Errorf("%d of %d changes with %s damaged", n, changes, newest)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
