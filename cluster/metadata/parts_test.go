package metadata

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

const allParts = PartTables | PartLog | PartMetadata | PartVotes | PartHints | PartBatches

// partFiles are files as a node that has served has them.
var partFiles = []string{
	"/d/data/manifest-0000000001", "/d/commitlog/00000001.log", "/d/metadata/log-0000000000000000.meta",
	"/d/metadata/raft-0000000000000001.meta", "/d/hints/state", "/d/batchlog/x",
}

// owned makes a directory whose parts are owned.
func owned(t *testing.T, seed uint64) (*vfs.Mem, *IdentityFile) {
	t.Helper()
	fs := vfs.NewMem()
	f, err := OpenIdentity(fs, "/d", "c", rand.NewSeeded(seed))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range partFiles {
		if err := errors.Join(vfs.MkdirAllSync(fs, name[:strings.LastIndexByte(name, '/')]), vfs.WriteFileAtomic(fs, name, []byte("x"))); err != nil {
			t.Fatal(err)
		}
	}
	id := f.Identity()
	if err := id.CheckParts(fs, "/d"); err != nil {
		t.Errorf("before the parts are owned: %v", err)
	}
	if err := f.Own(allParts); err != nil {
		t.Fatal(err)
	}
	return fs.CrashClone(vfs.CrashOptions{}), f
}

func check(t *testing.T, fs vfs.FS) error {
	t.Helper()
	id, err := ReadIdentity(fs, "/d", "c")
	if err != nil {
		t.Fatal(err)
	}
	return id.CheckParts(fs, "/d")
}

// TestPartsLost keeps the identity and loses, or exchanges, one part.
func TestPartsLost(t *testing.T) {
	fs, _ := owned(t, 1)
	if err := check(t, fs); err != nil {
		t.Fatal(err)
	}
	other, _ := owned(t, 2)
	foreign, err := vfs.ReadFile(other, "/d/hints/owner", ownerLen)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"data", "commitlog", "metadata", "hints", "batchlog"} {
		gone := fs.CrashClone(vfs.CrashOptions{})
		if err := gone.RemoveAll("/d/" + dir); err != nil {
			t.Fatal(err)
		}
		if err := check(t, gone); err == nil || !strings.Contains(err.Error(), "has lost /d/"+dir) {
			t.Errorf("without %s: %v", dir, err)
		}
		exchanged := fs.CrashClone(vfs.CrashOptions{})
		if err := vfs.WriteFileAtomic(exchanged, "/d/"+dir+"/owner", foreign); err != nil {
			t.Fatal(err)
		}
		if err := check(t, exchanged); err == nil || !strings.Contains(err.Error(), "/d/"+dir+" belongs to another data directory") {
			t.Errorf("with another's %s: %v", dir, err)
		}
		rotten := fs.CrashClone(vfs.CrashOptions{})
		if err := vfs.WriteFileAtomic(rotten, "/d/"+dir+"/owner", make([]byte, ownerLen)); err != nil {
			t.Fatal(err)
		}
		if err := check(t, rotten); !errors.Is(err, ErrCorrupt) {
			t.Errorf("with a rotten owner of %s: %v", dir, err)
		}
	}
	for _, name := range partFiles[:4] {
		gone := fs.CrashClone(vfs.CrashOptions{})
		if err := gone.Remove(name); err != nil {
			t.Fatal(err)
		}
		if err := check(t, gone); err == nil || !strings.Contains(err.Error(), "has lost") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// TestOwnIsDurable cuts the power at each call of Own: the parts that the
// identity names are there.
func TestOwnIsDurable(t *testing.T) {
	for nth := 1; ; nth++ {
		fs, _ := owned(t, 1)
		id, err := ReadIdentity(fs, "/d", "c")
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{"data", "commitlog", "metadata", "hints", "batchlog"} {
			if err := fs.Remove("/d/" + dir + "/owner"); err != nil {
				t.Fatal(err)
			}
		}
		id.Parts = 0
		if err := vfs.WriteFileAtomic(fs, "/d/identity", appendIdentity(nil, &id)); err != nil {
			t.Fatal(err)
		}
		fault := vfs.NewFault(fs, nil)
		f, err := OpenIdentity(fault, "/d", "c", rand.NewSeeded(1))
		if err != nil {
			t.Fatal(err)
		}
		fault.Add(vfs.Rule{Ops: vfs.WriteSide, Nth: nth, Times: -1, Err: errors.New("EIO")})
		failed := f.Own(allParts) != nil
		if err := check(t, fs.CrashClone(vfs.CrashOptions{})); err != nil {
			t.Fatalf("after %d calls: %v", nth-1, err)
		}
		if !failed {
			return
		}
	}
}

// A directory of before has parts that no identity names.
func TestOldIdentity(t *testing.T) {
	p := appendIdentity(nil, &Identity{ClusterName: "c", FormatLevel: 1, BootCount: 7})
	p = sealed(append(p[:len(p)-6:len(p)-6], 0, 0, 0, 0))
	p[8] = 1
	id, err := decodeIdentity("f", sealed(p))
	if err != nil || id.Parts != 0 || id.BootCount != 7 {
		t.Errorf("%+v, %v", id, err)
	}
}

// TestOwnerFile has every byte of an owner as doc.go draws it, and damages it.
func TestOwnerFile(t *testing.T) {
	disk := [16]byte{1, 2, 15: 16}
	p := appendOwner(nil, disk)
	const want = "494c494f4e4f574e" + "0100" + "0000" + "01020000000000000000000000000010"
	if got := hex.EncodeToString(p[:len(p)-4]); got != want {
		t.Errorf("the format has changed:\n%s\n%s", got, want)
	}
	if back, err := decodeOwner("f", p); err != nil || back != disk {
		t.Errorf("%x, %v", back, err)
	}
	for bit := range 8 * len(p) {
		bad := slices.Clone(p)
		bad[bit/8] ^= 1 << (bit % 8)
		if back, err := decodeOwner("f", bad); err == nil {
			t.Errorf("with bit %d flipped it is of %x", bit, back)
		}
	}
	for n := range p {
		if back, err := decodeOwner("f", p[:n]); err == nil {
			t.Errorf("cut to %d bytes it is of %x", n, back)
		}
	}
}

func FuzzDecodeOwner(f *testing.F) {
	f.Add(appendOwner(nil, [16]byte{1, 15: 2}))
	f.Fuzz(func(t *testing.T, p []byte) {
		disk, err := decodeOwner("f", sealed(p))
		if err != nil {
			if !refused(err) {
				t.Fatal(err)
			}
			return
		}
		if again := appendOwner(nil, disk); string(again) != string(sealed(p)) {
			t.Fatalf("%x became %x", p, again)
		}
	})
}
