//go:build race || invariants

package mem

import (
	"bytes"
	"fmt"
	"unsafe"
)

// heapBacked tells that memory comes from the Go heap and is poisoned.
const heapBacked = true

// Map returns n bytes (over 0) of zeroed memory, aligned to a page. In this
// build it is on the Go heap.
func Map(n int) ([]byte, error) {
	if n <= 0 {
		return nil, fmt.Errorf("mem: map of %d bytes", n)
	}
	b := make([]byte, n+MinChunk)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % MinChunk
	return b[skip : skip+uintptr(n) : skip+uintptr(n)], nil
}

// Unmap overwrites the memory, so that a use after it is noticed.
func Unmap(b []byte) error {
	poison(b)
	return nil
}

var poisoned = bytes.Repeat([]byte{0xDB}, MinChunk)

func poison(b []byte) {
	for len(b) > 0 {
		b = b[copy(b, poisoned):]
	}
}

func touch([]byte) {}
