package vfs

import (
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// osFile is an open file of OS. It stays on *os.File because that one guards
// its descriptor: a call that races with Close gets an error instead of the
// descriptor of another file.
type osFile struct {
	f    *os.File
	conn syscall.RawConn
	opts OpenOptions
	// uncached is set once the file system has refused ReadCached.
	uncached atomic.Bool
}

func (f *osFile) Name() string { return f.f.Name() }

func (f *osFile) Close() error { return wrap("close", f.Name(), f.f.Close()) }

// ReadAt returns io.EOF bare, as io.ReaderAt wants it.
func (f *osFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(p, off) // loops over short reads and EINTR
	if err == nil || err == io.EOF {
		return n, err
	}
	if f.opts.Direct && n > 0 && n%DirectAlign != 0 {
		// The file ends inside a block: the rest was asked for at an unaligned
		// offset, which some file systems refuse instead of telling the end.
		if size, serr := f.Size(); serr == nil && off+int64(n) >= size {
			return n, io.EOF
		}
	}
	return n, wrap("read", f.Name(), err)
}

func (f *osFile) ReadCached(p []byte, off int64) bool {
	// Offset -1 would mean the position of the file to the kernel.
	if f.opts.Direct || off < 0 || len(p) > maxCached || f.uncached.Load() {
		return false
	}
	return f.readCached(p, off)
}

// maxCached is how many bytes ReadCached copies at most: some 50 us of them.
const maxCached = 256 << 10

func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := writeBlocks(f.f, p, off, f.opts.Direct)
	if err != nil {
		return n, wrap("write", f.Name(), err)
	}
	if f.opts.DataSync && !hasDataSync {
		if err := f.SyncData(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// writeBlocks writes p, and goes on after a short write of direct I/O from the
// last whole block: os.File goes on where it ended, and what it then hears (that
// the offset is not aligned) hides the cause, a full disk for instance.
func writeBlocks(w io.WriterAt, p []byte, off int64, direct bool) (int, error) {
	done, stuck := 0, false
	for {
		n, err := w.WriteAt(p[done:], off+int64(done)) // loops over short writes and EINTR
		if err == nil || !direct || n%DirectAlign == 0 {
			return done + n, err
		}
		whole := n &^ (DirectAlign - 1)
		if done += whole; whole == 0 && stuck {
			return done, err
		}
		stuck = whole == 0
	}
}

func (f *osFile) Sync() error { return wrap("sync", f.Name(), f.f.Sync()) }

func (f *osFile) SyncData() error {
	return wrap("sync data", f.Name(), f.control(syncData))
}

func (f *osFile) Truncate(size int64) error {
	return wrap("truncate", f.Name(), f.f.Truncate(size))
}

func (f *osFile) Size() (int64, error) {
	st, err := f.f.Stat()
	if err != nil {
		return 0, wrap("stat", f.Name(), err)
	}
	return st.Size(), nil
}

// Preallocate does nothing where the file system has no means for it.
func (f *osFile) Preallocate(off, n int64) error {
	err := f.control(func(fd int) error { return preallocate(fd, off, n) })
	if err == unix.EOPNOTSUPP || err == unix.ENOSYS {
		return nil
	}
	return wrap("preallocate", f.Name(), err)
}

func (f *osFile) Prefetch(off, n int64) {
	_ = f.control(func(fd int) error { // closed: nobody reads it any more
		prefetch(fd, off, n)
		return nil
	})
}

// Mmap refuses a range beyond the end of the file, which would fault later.
func (f *osFile) Mmap(off, n int64, populate bool) (Mapping, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if off < 0 || n < 0 || n > math.MaxInt || off > size-n {
		return nil, wrap("map", f.Name(), fmt.Errorf("%w: [%d, +%d) of %d bytes", io.ErrUnexpectedEOF, off, n, size))
	}
	m := &osMapping{name: f.Name(), off: off}
	if n == 0 {
		return m, nil
	}
	page := int64(os.Getpagesize())
	lead := off % page
	err = f.control(func(fd int) error {
		b, err := unix.Mmap(fd, off-lead, int(n+lead), unix.PROT_READ, unix.MAP_SHARED|mapFlags(populate))
		m.whole = b
		return err
	})
	if err != nil {
		return nil, wrap("map", f.Name(), err)
	}
	if populate && mapFlags(true) == 0 {
		// Advice only: the bytes are right without it.
		_ = unix.Madvise(m.whole, unix.MADV_WILLNEED)
	}
	m.b = m.whole[lead : lead+n : lead+n]
	return m, nil
}

// control calls g with the descriptor, which stays open meanwhile.
func (f *osFile) control(g func(fd int) error) error {
	var err error
	if cerr := f.conn.Control(func(fd uintptr) {
		err = retry(func() error { return g(int(fd)) })
	}); cerr != nil {
		return cerr
	}
	return err
}

type osMapping struct {
	name  string
	off   int64
	whole []byte // what was mapped: b from the page boundary before it
	b     []byte
	once  sync.Once
}

func (m *osMapping) Bytes() []byte { return m.b }

// Name and Offset place a fault in a file for ViewMapped.
func (m *osMapping) Name() string  { return m.name }
func (m *osMapping) Offset() int64 { return m.off }

func (m *osMapping) Close() error {
	var err error
	m.once.Do(func() {
		m.b = nil
		if m.whole != nil {
			err = unix.Munmap(m.whole)
		}
	})
	return wrap("unmap", m.name, err)
}
