package vfs

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestFaultWithoutRules(t *testing.T) {
	testFS(t, NewFault(NewMem(), nil), "/data")
	testFS(t, NewFault(OS, nil), t.TempDir())
}

func newFault(t *testing.T) (*Fault, *Mem) {
	t.Helper()
	m := newTestMem(t)
	return NewFault(m, nil), m
}

// Every call of an operation can fail, and then WriteFileAtomic reports it and
// leaves the old or the new content.
func TestFaultAtEveryCall(t *testing.T) {
	work := func(f *Fault) error { return WriteFileAtomic(f, "/d/f", []byte("new")) }
	f, _ := newFault(t)
	count := f.Add(Rule{})
	must(t, work(f))
	if count.Seen() != 7 || count.Fired() != 1 {
		t.Fatalf("%d calls seen, %d hit", count.Seen(), count.Fired())
	}
	for _, cause := range []error{ErrIO, ErrNoSpace} {
		for _, after := range []bool{false, true} {
			for nth := 1; nth <= count.Seen(); nth++ {
				f, m := newFault(t)
				must(t, WriteFileAtomic(m, "/d/f", []byte("old")))
				a := f.Add(Rule{Nth: nth, Err: cause, After: after})
				err := work(f)
				if a.Fired() != 1 {
					t.Fatalf("call %d: fired %d times", nth, a.Fired())
				}
				// The first call removes what is mostly not there, and says so.
				if !errors.Is(err, cause) && (nth > 1 || !after) {
					t.Fatalf("call %d: error is %v", nth, err)
				}
				if got := after100(t, m); got != "old" && got != "new" {
					t.Fatalf("call %d: left %q", nth, got)
				}
			}
		}
	}
}

func after100(t *testing.T, m *Mem) string { t.Helper(); return after(t, m, 100, "/d/f") }

func TestFaultMatching(t *testing.T) {
	f, _ := newFault(t)
	a := f.Add(Rule{Ops: OpsOf(OpWrite, OpSync), Glob: "*.log", Nth: 2, Times: 2, Err: ErrIO})
	log, db := create(t, f, "/d/1.log", ""), create(t, f, "/d/1.db", "")
	writeAt(t, db, "x", 0)
	writeAt(t, log, "x", 0)
	_, err := log.WriteAt([]byte("y"), 0)
	wantErr(t, err, ErrIO)
	if !strings.Contains(err.Error(), "write /d/1.log") {
		t.Fatalf("message is %v", err)
	}
	wantErr(t, log.SyncData(), ErrIO)
	writeAt(t, log, "z", 0)
	must(t, log.Sync())
	if a.Seen() != 5 || a.Fired() != 2 {
		t.Fatalf("seen %d, fired %d", a.Seen(), a.Fired())
	}
	a.Remove()
	b := f.Add(Rule{Ops: OpsOf(OpRename), Glob: "/d/2.*", Times: -1, Err: ErrNoSpace})
	wantErr(t, f.Rename("/d/1.log", "/d/2.log"), ErrNoSpace)
	must(t, f.Rename("/d/1.log", "/d/3.log"))
	wantErr(t, f.Rename("/d/3.log", "/d/2.log"), ErrNoSpace)
	if b.Fired() != 2 || a.Seen() != 5 {
		t.Fatalf("fired %d", b.Fired())
	}
	f.Clear()
	must(t, f.Rename("/d/3.log", "/d/2.log"))
}

// Every kind of call goes through the rules.
func TestFaultCoversAllCalls(t *testing.T) {
	for k := range numOps {
		f, _ := newFault(t)
		file := create(t, f, "/d/file", "data")
		a := f.Add(Rule{Ops: OpsOf(k), Times: -1, Err: ErrIO})
		calls := map[OpKind]func() error{
			OpCreate:      func() error { _, err := f.Create("/d/new", OpenOptions{}); return err },
			OpOpen:        func() error { _, err := f.OpenRW("/d/file", OpenOptions{}); return err },
			OpRename:      func() error { return f.Rename("/d/file", "/d/g") },
			OpLink:        func() error { return f.Link("/d/file", "/d/h") },
			OpRemove:      func() error { return f.Remove("/d/file") },
			OpRemoveAll:   func() error { return f.RemoveAll("/d/file") },
			OpMkdir:       func() error { return f.MkdirAll("/d/sub") },
			OpSyncDir:     func() error { return f.SyncDir("/d") },
			OpList:        func() error { _, err := f.List("/d"); return err },
			OpStat:        func() error { _, err := f.Stat("/d/file"); return err },
			OpLock:        func() error { _, err := f.Lock("/d/LOCK"); return err },
			OpDiskUsage:   func() error { _, err := f.DiskUsage("/d"); return err },
			OpRead:        func() error { _, err := file.ReadAt(make([]byte, 1), 0); return err },
			OpWrite:       func() error { _, err := file.WriteAt(make([]byte, 1), 0); return err },
			OpSync:        file.Sync,
			OpTruncate:    func() error { return file.Truncate(1) },
			OpPreallocate: func() error { return file.Preallocate(0, 1) },
			OpSize:        func() error { _, err := file.Size(); return err },
			OpMmap:        func() error { _, err := file.Mmap(0, 1, false); return err },
			OpClose:       file.Close,
		}
		if calls[k] == nil {
			t.Fatalf("no call of kind %v", k)
		}
		wantErr(t, calls[k](), ErrIO)
		if a.Fired() != 1 {
			t.Fatalf("%v: fired %d times", k, a.Fired())
		}
		f.Clear()
		if k == OpClose {
			continue
		}
		must(t, calls[k]()) // and had no effect before
	}
	if OpWrite.String() != "write" || numOps.String() != "op 20" {
		t.Fatalf("names %v, %v", OpWrite, numOps)
	}
}

func TestFaultWrites(t *testing.T) {
	f, _ := newFault(t)
	file := create(t, f, "/d/f", "aaaaaaaa")
	f.Add(Rule{Ops: OpsOf(OpWrite), Err: ErrNoSpace, Short: 3})
	n, err := file.WriteAt([]byte("bbbb"), 0)
	wantErr(t, err, ErrNoSpace)
	if got := content(t, f, "/d/f"); n != 3 || got != "bbbaaaaa" {
		t.Fatalf("wrote %d: %q", n, got)
	}
	f.Clear()
	f.Add(Rule{Ops: OpsOf(OpWrite), Lost: true})
	writeAt(t, file, "cccc", 0)
	f.Clear()
	f.Add(Rule{Ops: OpsOf(OpWrite), Misdirect: 4})
	writeAt(t, file, "dd", 0)
	f.Clear()
	f.Add(Rule{Ops: OpsOf(OpWrite), Err: ErrIO, After: true})
	_, err = file.WriteAt([]byte("e"), 7)
	wantErr(t, err, ErrIO)
	if got := content(t, f, "/d/f"); got != "bbbaddae" {
		t.Fatalf("content %q", got)
	}
	f.Add(Rule{Ops: OpsOf(OpRead), Glob: "f", Times: -1, Corrupt: FlipBit(8*2 + 1)})
	if got := content(t, f, "/d/f"); got != "bb`addae" {
		t.Fatalf("content %q", got)
	}
	f.Add(Rule{Ops: OpsOf(OpMmap), Corrupt: FlipBit(8*2 + 1)})
	m, err := file.Mmap(1, 3, false)
	must(t, err)
	if string(m.Bytes()) != "b`a" {
		t.Fatalf("mapped %q", m.Bytes())
	}
}

// A failed fsync drops the dirty data, reports it once, and the next one
// succeeds: whoever goes on after the first loses data at a crash.
func TestFaultDropsDirtyData(t *testing.T) {
	f, m := newFault(t)
	file := create(t, f, "/d/f", "old")
	must(t, file.Sync())
	must(t, f.SyncDir("/d"))
	f.Add(Rule{Ops: OpsOf(OpSync), Err: ErrIO, DropDirty: true})
	writeAt(t, file, "new", 0)
	wantErr(t, file.Sync(), ErrIO)
	must(t, file.Sync())
	if got := content(t, f, "/d/f"); got != "new" {
		t.Fatalf("page cache holds %q", got)
	}
	for _, keep := range []int{0, 100} {
		if got := after(t, m, keep, "/d/f"); got != "old" {
			t.Fatalf("disk holds %q", got)
		}
	}
}

type recordingClock struct{ slept time.Duration }

func (c *recordingClock) Sleep(d time.Duration) { c.slept += d }

func TestFaultDelay(t *testing.T) {
	c := &recordingClock{}
	f := NewFault(newTestMem(t), c)
	f.Add(Rule{Ops: OpsOf(OpWrite), Times: 3, Delay: time.Second})
	file := create(t, f, "/d/f", "a")
	for range 5 {
		writeAt(t, file, "b", 0)
	}
	if c.slept != 3*time.Second {
		t.Fatalf("slept %v", c.slept)
	}
	if got := content(t, f, "/d/f"); got != "b" {
		t.Fatalf("content %q", got)
	}
}

// A lost fsync of one file is found by a crash.
func TestFaultLostSync(t *testing.T) {
	f, m := newFault(t)
	f.Add(Rule{Ops: OpsOf(OpSync), Lost: true})
	must(t, WriteFileAtomic(f, "/d/f", []byte("x")))
	if got := after(t, m, 0, "/d/f"); got == "x" {
		t.Fatal("the sync was not lost")
	}
	must(t, WriteFileAtomic(f, "/d/f", []byte("x")))
	if got := after(t, m, 0, "/d/f"); got != "x" {
		t.Fatalf("disk holds %q", got)
	}
}
