package metadata

import (
	"errors"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

func TestIdentity(t *testing.T) {
	fs := vfs.NewMem()
	src := rand.NewSeeded(7)
	f, err := OpenIdentity(fs, "/data", "Test Cluster", src)
	if err != nil {
		t.Fatal(err)
	}
	first := f.Identity()
	if first.BootCount != 1 || first.Generation != 1 || first.HostID == first.DiskID || first.HostID == [16]byte{} {
		t.Errorf("%+v", first)
	}
	if err := f.Mark(100, 200); err != nil {
		t.Fatal(err)
	}
	if err := f.Mark(50, 300); err != nil {
		t.Fatal(err)
	}
	f, err = OpenIdentity(fs.CrashClone(vfs.CrashOptions{}), "/data", "Test Cluster", src)
	if err != nil {
		t.Fatal(err)
	}
	want := first
	want.BootCount, want.ClockMark, want.LastAlive = 2, 100, 300
	if got := f.Identity(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, err := OpenIdentity(fs, "/data", "Other", src); err == nil || err.Error() != `data directory /data belongs to cluster "Test Cluster", not to "Other"` {
		t.Error(err)
	}
}

func TestIdentityRefuses(t *testing.T) {
	fs := vfs.NewMem()
	src := rand.NewSeeded(7)
	l := open(t, fs, Options{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenIdentity(fs, "/data", "c", src); err == nil || !strings.Contains(err.Error(), "has data but no identity") {
		t.Error(err)
	}
	if _, err := OpenIdentity(fs, "/d", strings.Repeat("x", 300), src); err == nil {
		t.Error("a name of 300 bytes")
	}
	write := func(spoil func(*Identity)) error {
		id := Identity{ClusterName: "c", FormatLevel: level.First}
		spoil(&id)
		if err := vfs.WriteFileAtomic(fs, "/d/identity", appendIdentity(nil, &id)); err != nil {
			t.Fatal(err)
		}
		_, err := OpenIdentity(fs, "/d", "c", src)
		return err
	}
	if err := vfs.MkdirAllSync(fs, "/d"); err != nil {
		t.Fatal(err)
	}
	if err := write(func(id *Identity) { id.FormatLevel = level.Highest + 1 }); !errors.Is(err, ErrUnknownFeature) {
		t.Error(err)
	}
	p := appendIdentity(nil, &Identity{ClusterName: "c", FormatLevel: level.First})
	for i := range p {
		if _, err := decodeIdentity("f", p[:i]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut at %d: %v", i, err)
		}
		p[i] ^= 1
		if _, err := decodeIdentity("f", p); !errors.Is(err, ErrCorrupt) {
			t.Errorf("bit at %d: %v", i, err)
		}
		p[i] ^= 1
	}
}

func TestIdentityStopsAfterAFailedWrite(t *testing.T) {
	f := vfs.NewFault(vfs.NewMem(), nil)
	id, err := OpenIdentity(f, "/data", "c", rand.NewSeeded(1))
	if err != nil {
		t.Fatal(err)
	}
	f.Add(vfs.Rule{Ops: vfs.WriteSide, Err: vfs.ErrNoSpace})
	if id.Mark(1, 1) == nil || id.Mark(1, 1) != nil || id.Identity().ClockMark != 1 {
		t.Error("a full disk is not tried again")
	}
	f.Add(vfs.Rule{Ops: vfs.WriteSide, Err: errors.New("EIO")})
	if id.Mark(2, 2) == nil || id.Mark(3, 3) == nil || id.Identity().ClockMark != 1 {
		t.Error("a failed mark is not remembered")
	}
}

func FuzzDecodeIdentity(f *testing.F) {
	f.Add(appendIdentity(nil, &Identity{ClusterName: "Test Cluster"}))
	f.Fuzz(func(t *testing.T, p []byte) {
		if id, err := decodeIdentity("f", p); err == nil {
			if got, err := decodeIdentity("f", appendIdentity(nil, &id)); err != nil || got != id {
				t.Fatal(err)
			}
		}
	})
}
