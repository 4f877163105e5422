//go:build linux

package vfs

import (
	"os"
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
	vec     unix.Iovec
	off     int64
	n       int
	errno   syscall.Errno
	call    func(fd uintptr) // do, made once
	within  unix.CachestatRange
	present unix.Cachestat_t
}

var cachedReads = sync.Pool{New: func() any {
	c := &cachedRead{}
	c.call = c.do
	return c
}}

// do asks first whether all is there: what is missing preadv2 would have the
// kernel read ahead (since 5.9), and for that it may wait, for where the file's
// blocks lie or for room in a queue that Prefetch has filled. So neither call
// waits, but where a scan's reading ahead goes on from a page or one is dropped in
// between, and the scheduler is not told of them, as package syscall would: that
// costs about as much as copying a block.
func (c *cachedRead) do(fd uintptr) {
	_, _, c.errno = syscall.RawSyscall6(unix.SYS_CACHESTAT, fd, uintptr(unsafe.Pointer(&c.within)), uintptr(unsafe.Pointer(&c.present)), 0, 0, 0)
	if c.errno != 0 {
		return
	}
	first, end := c.off/systemPage, (c.off+int64(c.vec.Len)+systemPage-1)/systemPage
	if int64(c.present.Cache) < end-first {
		return // with n 0
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_PREADV2, fd, uintptr(unsafe.Pointer(&c.vec)), 1, uintptr(c.off), 0, unix.RWF_NOWAIT)
	c.n, c.errno = int(n), errno
}

var systemPage = int64(os.Getpagesize())

// readCached is cachestat, which Linux has since 6.5, and preadv2 with RWF_NOWAIT.
// Any error is for ReadAt to tell.
func (f *osFile) readCached(p []byte, off int64) bool {
	c := cachedReads.Get().(*cachedRead)
	c.vec.Base, c.off, c.errno = unsafe.SliceData(p), off, syscall.EBADF
	c.vec.SetLen(len(p))
	c.n, c.within.Off, c.within.Len = 0, uint64(off), uint64(len(p))
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
