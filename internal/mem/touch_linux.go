//go:build linux && !race && !invariants

package mem

import "golang.org/x/sys/unix"

// madvPopulateWrite is MADV_POPULATE_WRITE (Linux 5.14).
const madvPopulateWrite = 23

// populate faults all pages in with one call and tells whether it did. Huge
// pages are asked for first; that is advice.
func populate(b []byte) bool {
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	return unix.Madvise(b, madvPopulateWrite) == nil
}
