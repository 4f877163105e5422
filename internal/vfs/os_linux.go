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

// prefetchStep is what the kernel reads ahead for one request at least: it cuts
// a longer one off.
const prefetchStep = 128 << 10

func prefetch(fd int, off, n int64) {
	for end := off + n; off < end; off += prefetchStep {
		if err := unix.Fadvise(fd, off, min(prefetchStep, end-off), unix.FADV_WILLNEED); err != nil {
			return
		}
	}
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
