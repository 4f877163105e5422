package commitlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
)

var errIO = errors.New("input/output error")

// faultRun writes a few segments and tells what was acknowledged. It goes on
// after errors, as clients do.
func faultRun(t *testing.T, o Options) (acked []string, start Position, failures int64) {
	t.Helper()
	var told atomic.Int64
	o.OnFailure = func(err error) {
		if !errors.Is(err, ErrFailed) {
			t.Errorf("OnFailure got %v", err)
		}
		told.Add(1)
	}
	l, _, err := Open(o, nil)
	if err != nil {
		return nil, Position{}, 0
	}
	failed := false
	for i := range 14 {
		rec := fmt.Sprintf("%d %s", i, make([]byte, 12<<10))
		pos, err := l.AppendSync(toBytes([]string{rec}))
		switch {
		case err == nil && failed:
			t.Fatalf("record %d acknowledged after a failure", i)
		case err == nil:
			acked = append(acked, rec)
			if i%5 == 4 {
				// Everything before is in tables now.
				acked, start = acked[len(acked)-1:], pos
				l.Discard(pos)
			}
		case !errors.Is(err, ErrFailed):
			t.Fatalf("record %d: %v", i, err)
		default:
			failed = true
		}
	}
	if err := l.Close(); (err != nil) != (l.Err() != nil) {
		t.Fatalf("Close: %v, while the log says %v", err, l.Err())
	}
	if n := told.Load(); n > 1 || (n == 1) != (l.Err() != nil) {
		t.Fatalf("OnFailure called %d times, the log says %v", n, l.Err())
	}
	return acked, start, told.Load()
}

// TestEveryCallFails fails each call that changes the disk, one a run, in
// several ways, and checks that no acknowledged record is lost to it.
func TestEveryCallFails(t *testing.T) {
	for _, buffered := range []bool{false, true} {
		for what, rule := range map[string]vfs.Rule{
			"not done":       {Err: errIO},
			"done after all": {Err: errIO, After: true},
			"half done":      {Err: errIO, Short: 512},
			"dirty dropped":  {Err: errIO, DropDirty: true},
		} {
			t.Run(fmt.Sprintf("%s buffered=%v", what, buffered), func(t *testing.T) {
				failures := int64(0)
				for nth := 1; ; nth++ {
					mem := vfs.NewMem()
					fs := vfs.NewFault(mem, nil)
					rule.Ops, rule.Nth = vfs.WriteSide, nth
					armed := fs.Add(rule)
					o := testOptions(fs)
					o.Buffered = buffered
					acked, start, n := faultRun(t, o)
					failures += n
					for _, keep := range []int{0, 50, 100} {
						image := mem.CrashClone(vfs.CrashOptions{Keep: keep})
						checkAcked(t, image, acked, start, fmt.Sprintf("call %d failed, %d %% kept", nth, keep))
					}
					if armed.Fired() == 0 {
						if nth < 30 || failures < 10 {
							t.Fatalf("%d calls, %d failures of the log: nothing was tried", nth, failures)
						}
						return
					}
				}
			})
		}
	}
}

func checkAcked(t *testing.T, fs vfs.FS, acked []string, start Position, when string) {
	t.Helper()
	o := testOptions(fs)
	o.Start, o.LastSegment = start, start.Segment
	var got collected
	l, _, err := Open(o, got.add)
	if err != nil {
		t.Fatalf("%s: open: %v", when, err)
	}
	mustClose(t, l)
	for _, rec := range acked {
		if !got.has(rec) {
			t.Fatalf("%s: record %.5q was acknowledged and is lost", when, rec)
		}
	}
}

func TestFailureReachesEverybody(t *testing.T) {
	mem := vfs.NewMem()
	fs := vfs.NewFault(mem, nil)
	o := testOptions(fs)
	l, _, _ := mustOpen(t, o)
	mustAppend(t, l, "first")
	fs.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpWrite), Glob: "*.log", Times: -1, Err: errIO})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := l.AppendSync([][]byte{make([]byte, 9<<10)}); !errors.Is(err, ErrFailed) || !errors.Is(err, errIO) {
				t.Errorf("append: %v", err)
			}
		})
	}
	wg.Wait()
	fs.Clear()
	if _, err := l.TryAppend(toBytes([]string{"late"}), nil); !errors.Is(err, ErrFailed) {
		t.Fatalf("after the disk works again: %v", err)
	}
	if err := l.Sync(context.Background()); !errors.Is(err, ErrFailed) {
		t.Fatalf("Sync: %v", err)
	}
	if err := l.Close(); !errors.Is(err, ErrFailed) {
		t.Fatalf("Close: %v", err)
	}
	if !l.Stats().Failed {
		t.Fatal("Stats does not say so")
	}
}

// TestFullDiskIsNotFailure lets every call that prepares a new file meet a full
// disk once.
func TestFullDiskIsNotFailure(t *testing.T) {
	for nth := 1; ; nth++ {
		fs := vfs.NewFault(vfs.NewMem(), nil)
		o := testOptions(fs)
		l, _, _ := mustOpen(t, o)
		armed := fs.Add(vfs.Rule{
			Ops: vfs.OpsOf(vfs.OpCreate, vfs.OpWrite, vfs.OpSync), Glob: "*.new", Nth: nth, Err: vfs.ErrNoSpace,
		})
		for i := range 30 {
			pos, err := l.AppendSync([][]byte{make([]byte, 30<<10)})
			if errors.Is(err, ErrNoSpace) {
				signal(l.pool.wake) // instead of waiting for the clock
				continue
			}
			if err != nil {
				t.Fatalf("call %d: append %d: %v", nth, i, err)
			}
			if i%7 == 6 {
				l.Discard(pos)
			}
		}
		mustClose(t, l)
		if armed.Fired() == 0 {
			if nth < 10 {
				t.Fatalf("only %d calls tried", nth)
			}
			return
		}
		if l.Stats().NoSpace == 0 {
			t.Fatalf("call %d: a full disk was not noticed", nth)
		}
	}
}

// TestReadErrors fails each read of a replay.
func TestReadErrors(t *testing.T) {
	mem := vfs.NewMem()
	fs := vfs.NewFault(mem, nil)
	o, n := manySegments(t, fs)
	for nth := 1; ; nth++ {
		armed := fs.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpOpen, vfs.OpSize, vfs.OpRead, vfs.OpList), Nth: nth, Times: 2, Err: errIO})
		var got collected
		_, err := Replay(o, got.add)
		fired := armed.Fired()
		armed.Remove()
		if fired == 0 {
			if err != nil || len(got.rec) != n || nth < 20 {
				t.Fatalf("%d records, %v, after %d reads", len(got.rec), err, nth)
			}
			return
		}
		// The second of two reads that fail may be another one, which is tried
		// again page by page.
		if err == nil && len(got.rec) != n || err != nil && !errors.Is(err, errIO) {
			t.Fatalf("read %d failed: %d records, %v", nth, len(got.rec), err)
		}
	}
}

// badSector is a file system on which one page of one file cannot be read.
type badSector struct {
	vfs.FS
	name string
	off  int64
}

type badSectorFile struct {
	vfs.File
	off int64
}

func (b badSector) Open(name string, o vfs.OpenOptions) (vfs.File, error) {
	f, err := b.FS.Open(name, o)
	if err != nil || name != b.name {
		return f, err
	}
	return badSectorFile{f, b.off}, nil
}

// ReadAt reads what lies before the page.
func (f badSectorFile) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) <= f.off || f.off+pageSize <= off {
		return f.File.ReadAt(p, off)
	}
	n := max(0, int(f.off-off))
	if n, err := f.File.ReadAt(p[:n], off); err != nil {
		return n, err
	}
	return n, errIO
}

// TestBadSectorInHeader loses one sector of a segment: either copy of the
// header, which the other serves, or the first frame, which is rot.
func TestBadSectorInHeader(t *testing.T) {
	for page, rot := range []bool{false, false, true} {
		mem := vfs.NewMem()
		o, n := manySegments(t, mem)
		o.FS = badSector{mem, "/log/" + segmentName(2), int64(page * pageSize)}
		var got collected
		rep, err := Replay(o, got.add)
		var corrupt *CorruptError
		switch {
		case rot && (!errors.As(err, &corrupt) || corrupt.Offset != dataStart || !errors.Is(err, errIO)):
			t.Errorf("page %d: %v", page, err)
		case !rot && (err != nil || len(got.rec) != n || len(rep.BadHeaders) != 1):
			t.Errorf("page %d: %d records of %d, %+v, %v", page, len(got.rec), n, rep, err)
		}
		// Either way it can be set aside.
		o.SetAside = map[string]bool{segmentName(2): true}
		if _, err := Replay(o, nil); err != nil {
			t.Errorf("page %d, set aside: %v", page, err)
		}
	}
}
