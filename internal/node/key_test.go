package node

import (
	"bytes"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
)

// TestKeyFile goes to the shortest and the longest key of a cluster, and one byte
// beyond.
func TestKeyFile(t *testing.T) {
	fs := vfs.NewMem()
	for n, taken := range map[int]bool{0: false, minKey - 1: false, minKey: true, maxKey: true, maxKey + 1: false} {
		want := bytes.Repeat([]byte("k"), n)
		if err := vfs.WriteFileAtomic(fs, "/key", want); err != nil {
			t.Fatal(err)
		}
		key, err := readKey(fs, "/key")
		if (err == nil) != taken || taken && !bytes.Equal(key, want) {
			t.Errorf("a key of %d bytes: %d, %v", n, len(key), err)
		}
	}
}
