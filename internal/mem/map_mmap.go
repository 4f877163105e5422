//go:build !race && !invariants

package mem

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// heapBacked tells that memory comes from the Go heap and is poisoned.
const heapBacked = false

// Map returns n bytes (over 0) of zeroed memory off the Go heap, aligned to a
// page. The owner gives it back with Unmap and accounts for it on a Share.
func Map(n int) ([]byte, error) {
	if n <= 0 {
		return nil, fmt.Errorf("mem: map of %d bytes", n)
	}
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("mem: map %d bytes: %w", n, err)
	}
	return b, nil
}

// Unmap gives back what Map returned, whole. Any later access is a crash.
func Unmap(b []byte) error {
	if err := unix.Munmap(b); err != nil {
		return fmt.Errorf("mem: unmap %d bytes: %w", len(b), err)
	}
	return nil
}

func poison([]byte) {}

// touch makes the pages of b resident. Nobody else may use b yet.
func touch(b []byte) {
	if populate(b) {
		return
	}
	for i := 0; i < len(b); i += MinChunk {
		b[i] = 0
	}
}
