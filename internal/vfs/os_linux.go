//go:build linux

package vfs

import (
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

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

// cachedRead is a call of readCached, kept so that none allocates.
type cachedRead struct {
	vec   unix.Iovec
	off   int64
	n     int
	errno syscall.Errno
	call  func(fd uintptr) // do, made once
}

var cachedReads = sync.Pool{New: func() any {
	c := &cachedRead{}
	c.call = c.do
	return c
}}

// do tells the scheduler of the call. What is missing the kernel reads ahead (since
// 5.9), and for that it may wait, for where the file's blocks lie or for room in a
// queue that Prefetch has filled: a raw call would then hold a processor, and all
// of them while one collects garbage.
func (c *cachedRead) do(fd uintptr) {
	n, _, errno := syscall.Syscall6(unix.SYS_PREADV2, fd, uintptr(unsafe.Pointer(&c.vec)), 1, uintptr(c.off), 0, unix.RWF_NOWAIT)
	c.n, c.errno = int(n), errno
}

// readCached is preadv2 with RWF_NOWAIT. Any error is for ReadAt to tell.
func (f *osFile) readCached(p []byte, off int64) bool {
	c := cachedReads.Get().(*cachedRead)
	c.vec.Base, c.off, c.errno = unsafe.SliceData(p), off, syscall.EBADF
	c.vec.SetLen(len(p))
	err := f.conn.Control(c.call)
	n, errno := c.n, c.errno
	c.vec.Base = nil
	cachedReads.Put(c)
	switch errno {
	case unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL, unix.EPERM: // or a filter of system calls does not know it
		f.uncached.Store(true)
	}
	return err == nil && errno == 0 && n == len(p)
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
