//go:build linux

package vfs

import "golang.org/x/sys/unix"

// hasDataSync tells that O_DSYNC writes through to the medium.
const hasDataSync = true

func openFlags(o OpenOptions) (int, error) {
	flags := 0
	if o.Direct {
		flags |= unix.O_DIRECT
	}
	if o.DataSync {
		flags |= unix.O_DSYNC
	}
	return flags, nil
}

func syncData(fd int) error { return unix.Fdatasync(fd) }

func preallocate(fd int, off, n int64) error {
	return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, off, n)
}

func mapFlags(populate bool) int {
	if populate {
		return unix.MAP_POPULATE
	}
	return 0
}

func blockSize(st *unix.Statfs_t) uint64 {
	if st.Frsize > 0 {
		return uint64(st.Frsize)
	}
	return uint64(st.Bsize)
}
