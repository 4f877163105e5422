package query

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
)

// TestStoreEveryBitFlipped wants an error that names the file for every bit
// flipped and every length cut. A start goes on without the statements, see
// TestDamagedStoreDoesNotStopTheStart.
func TestStoreEveryBitFlipped(t *testing.T) {
	store := &FileStore{FS: vfs.NewMem(), Path: "/data/prepared"}
	if err := store.Save(someEntries); err != nil {
		t.Fatal(err)
	}
	whole, err := vfs.ReadFile(store.FS, store.Path, storeMax)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, at int, p []byte) {
		t.Helper()
		if err := vfs.WriteFileAtomic(store.FS, store.Path, p); err != nil {
			t.Fatal(err)
		}
		if got, err := store.Load(); !errors.Is(err, ErrCorruptStore) || !strings.Contains(err.Error(), store.Path) || len(got) != 0 {
			t.Fatalf("%s at %d: %v, %v", what, at, got, err)
		}
	}
	for at := range whole {
		for bit := range 8 {
			whole[at] ^= 1 << bit
			try("bit", at*8+bit, whole)
			whole[at] ^= 1 << bit
		}
		try("cut", at, whole[:at])
	}
	try("longer", 0, append(bytes.Clone(whole), 0))
	if err := store.Save(someEntries); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Load(); err != nil || len(got) != len(someEntries) {
		t.Fatalf("saved again: %v, %v", got, err)
	}
}
