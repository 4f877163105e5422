//go:build darwin

package vfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// hasDataSync is false because O_DSYNC stops at the drive's cache here: every
// write of a DataSync file is followed by F_FULLFSYNC instead.
const hasDataSync = false

func openFlags(o OpenOptions) (int, error) {
	if o.Direct {
		return 0, fmt.Errorf("direct I/O: %w", errors.ErrUnsupported)
	}
	return 0, nil
}

// syncData is F_FULLFSYNC, as os.File.Sync does it: fsync alone does not reach
// the medium.
func syncData(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
	return err
}

// preallocate reserves past the physical end: there is no call for a range.
func preallocate(fd int, off, n int64) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	want := off + n - st.Blocks*512
	if want <= 0 {
		return nil
	}
	return unix.FcntlFstore(uintptr(fd), unix.F_PREALLOCATE, &unix.Fstore_t{
		Flags:   unix.F_ALLOCATEALL,
		Posmode: unix.F_PEOFPOSMODE,
		Length:  want,
	})
}

func (f *osFile) readCached([]byte, int64) bool { return false }

func prefetch(int, int64, int64) {}

// Memory is not known here.
func (osFS) Memory() int64 { return 0 }

func mapFlags(populate bool) int { return 0 }

func blockSize(st *unix.Statfs_t) uint64 { return uint64(st.Bsize) }
