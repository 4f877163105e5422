package batchlog

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/vfs"
)

// segmentOf is the only file and its bytes.
func segmentOf(t *testing.T, fs vfs.FS) (string, []byte) {
	t.Helper()
	names, err := fs.List("/batchlog")
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	b, err := vfs.ReadFile(fs, "/batchlog/"+names[0], 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return "/batchlog/" + names[0], b
}

// TestRot damages each 64 bytes: what is left is whole.
func TestRot(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, testOptions(fs))
	for n := range 6 {
		if err := storeSync(l, n, time.Now().UnixMicro(), batchOf(n, 100)); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, l)
	name, whole := segmentOf(t, fs)
	lost := 0
	for at := 0; at < len(whole); at += 64 {
		b := bytes.Clone(whole)
		b[at+at/64%64] ^= 0x55
		if err := vfs.WriteFileAtomic(fs, name, b); err != nil {
			t.Fatal(err)
		}
		image := fs.CrashClone(vfs.CrashOptions{Keep: 100})
		r := &crashRun{}
		found, err := r.judge(image)
		if err != nil {
			t.Fatalf("at %d: %v", at, err)
		}
		lost += 6 - len(found)
	}
	if lost == 0 {
		t.Fatal("nothing was damaged")
	}
}

// TestRotUnderway damages the file after it was opened: a batch that cannot be
// read is given up, the others are replayed.
func TestRotUnderway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		fs := vfs.NewFault(mem, nil)
		l := mustOpen(t, testOptions(fs))
		for n := range 6 {
			if err := storeSync(l, n, time.Now().UnixMicro(), batchOf(n, 100)); err != nil {
				t.Fatal(err)
			}
		}
		name, _ := segmentOf(t, mem)
		l.mu.Lock()
		at := l.batches[idOf(2)].at
		l.mu.Unlock()
		f, err := mem.OpenRW(name, vfs.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("rot"), at.Offset+100); err != nil {
			t.Fatal(err)
		}
		// And the first read fails, which may pass.
		fs.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpRead), Err: vfs.ErrIO})
		r := &replicas{fail: func(n int) error {
			if n == 5 {
				return errors.New("busy")
			}
			return nil
		}}
		l.Replay(r)
		time.Sleep(time.Minute)
		got := r.times()
		if len(got) != 4 || got[2] != 0 || r.wrong() != nil {
			t.Fatalf("replayed %v, %v", got, r.wrong())
		}
		if n, _ := l.Pending(); n != 1 {
			t.Fatalf("%d pending", n)
		}
		mustClose(t, l)
	})
}
