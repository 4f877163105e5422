package metadata

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

// everyBit calls f for each bit of p flipped, one after the other. Of a run of
// zeros, which is padding, and under the race detector a sample will do.
func everyBit(p []byte, f func(at int, bit int)) {
	for at := range p {
		padding := p[at] == 0 && at >= 16 && bytes.Count(p[at-16:at], []byte{0}) == 16
		for bit := range 8 {
			if (padding || invariant.Enabled) && (bit != at%8 || padding && at%7 != 0) {
				continue
			}
			p[at] ^= 1 << bit
			f(at, bit)
			p[at] ^= 1 << bit
		}
	}
}

// TestIdentityEveryBitFlipped wants a refusal that names the file, and the
// file left as it was: it is evidence.
func TestIdentityEveryBitFlipped(t *testing.T) {
	fs := vfs.NewMem()
	src := rand.NewSeeded(3)
	if _, err := OpenIdentity(fs, "/data", "Test Cluster", src); err != nil {
		t.Fatal(err)
	}
	whole, err := vfs.ReadFile(fs, "/data/identity", maxIdentity)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, at int, p []byte) {
		t.Helper()
		if err := vfs.WriteFileAtomic(fs, "/data/identity", p); err != nil {
			t.Fatal(err)
		}
		var c *CorruptError
		if _, err := OpenIdentity(fs, "/data", "Test Cluster", src); !errors.As(err, &c) || c.File != "/data/identity" || c.Offset > int64(len(whole)) {
			t.Fatalf("%s at %d: %v", what, at, err)
		}
		if now, err := vfs.ReadFile(fs, "/data/identity", maxIdentity); err != nil || !bytes.Equal(now, p) {
			t.Fatalf("%s at %d: the file was changed, %v", what, at, err)
		}
	}
	everyBit(whole, func(at, bit int) { try("bit", at*8+bit, whole) })
	for n := range whole {
		try("cut", n, whole[:n])
	}
	try("longer", 0, append(bytes.Clone(whole), 0))
	if err := vfs.WriteFileAtomic(fs, "/data/identity", whole); err != nil {
		t.Fatal(err)
	}
	if f, err := OpenIdentity(fs, "/data", "Test Cluster", src); err != nil || f.Identity().BootCount != 2 {
		t.Fatalf("the whole file: %v", err)
	}
}

// TestEveryBitFlipped flips each bit of snapshot and log: everything is there
// all the same, or the error says which file is damaged.
func TestEveryBitFlipped(t *testing.T) {
	base := vfs.NewMem()
	l := open(t, base, Options{CompactAfter: 2})
	const n = 3
	for i := range n {
		propose(t, l, i)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := base.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	refusals, repaired := 0, 0
	for _, name := range names {
		name = dir + "/" + name
		whole, err := vfs.ReadFile(base, name, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		everyBit(whole, func(at, bit int) {
			fs := base.CrashClone(vfs.CrashOptions{Keep: 100})
			if err := vfs.WriteFileAtomic(fs, name, whole); err != nil {
				t.Fatal(err)
			}
			l, err := Open(fs, dir, Options{CompactAfter: 2})
			if err != nil {
				if !refused(err) || !bytes.Contains([]byte(err.Error()), []byte(dir)) {
					t.Fatalf("%s, bit %d of byte %d: %v", name, bit, at, err)
				}
				refusals++
				return
			}
			if got := has(t, l); got != n {
				t.Fatalf("%s, bit %d of byte %d: %d entries of %d", name, bit, at, got, n)
			}
			propose(t, l, n)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			// What was repaired once stays so.
			l = open(t, fs, Options{CompactAfter: 2})
			if got := has(t, l); got != n+1 {
				t.Fatalf("%s, bit %d of byte %d: %d entries after one more", name, bit, at, got)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			repaired++
		})
	}
	if refusals == 0 || repaired == 0 {
		t.Fatalf("%d refused, %d repaired", refusals, repaired)
	}
}

// TestEveryLengthCut cuts the newest log at each length: what a crash can leave
// is the entries that are whole, a file cut below its header is an error.
func TestEveryLengthCut(t *testing.T) {
	base := vfs.NewMem()
	l := open(t, base, Options{})
	const n = 4
	var ends []int // of each entry
	for i := range n {
		propose(t, l, i)
		p, err := vfs.ReadFile(base, logName(dir, 0), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, len(p))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := vfs.ReadFile(base, logName(dir, 0), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range whole {
		fs := base.CrashClone(vfs.CrashOptions{Keep: 100})
		if err := vfs.WriteFileAtomic(fs, logName(dir, 0), whole[:cut]); err != nil {
			t.Fatal(err)
		}
		l, err := Open(fs, dir, Options{})
		if err != nil {
			if cut >= logHeaderLen || !errors.Is(err, ErrCorrupt) {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			continue
		}
		least := 0
		for least < n && ends[least] <= cut {
			least++
		}
		// An entry is whole before its mark and the padding between are.
		if got := has(t, l); got < least || got > least+1 {
			t.Fatalf("cut at %d of %v: %d entries", cut, ends, got)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
