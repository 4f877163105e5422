package vfs

import (
	"fmt"
	"io"
	"sync/atomic"
	"syscall"
)

// memFile is an open file of Mem.
type memFile struct {
	m        *Mem
	n        *memNode
	name     string
	opts     OpenOptions
	writable bool
	closed   atomic.Bool
}

func (f *memFile) Name() string { return f.name }

func (f *memFile) Close() error {
	if f.closed.Swap(true) {
		return wrap("close", f.name, ErrClosed)
	}
	f.m.names.Lock()
	defer f.m.names.Unlock()
	f.n.opens--
	f.m.freeIfGone(f.n)
	return nil
}

// check returns why an operation cannot be tried at all.
func (f *memFile) check(write bool) error {
	if f.closed.Load() {
		return ErrClosed
	}
	if write && !f.writable {
		return syscall.EBADF
	}
	return nil
}

func (f *memFile) checkRange(p []byte, off int64, write bool) error {
	if err := f.check(write); err != nil {
		return err
	}
	if off < 0 {
		return syscall.EINVAL
	}
	if f.opts.Direct && len(p) > 0 && !aligned(p, off) {
		return fmt.Errorf("%w: %d bytes at %d", ErrUnaligned, len(p), off)
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.checkRange(p, off, false); err != nil {
		return 0, wrap("read", f.name, err)
	}
	f.n.mu.RLock()
	defer f.n.mu.RUnlock()
	n := int(max(0, min(int64(len(p)), f.n.cur.size-off)))
	f.n.cur.read(p[:n], off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (n int, err error) {
	if err := f.checkRange(p, off, true); err != nil {
		return 0, wrap("write", f.name, err)
	}
	if len(p) == 0 {
		return 0, nil
	}
	c := Call{Op: OpWrite, Name: f.name, Off: off, Len: len(p)}
	err = f.m.writeSide(c, func() error {
		f.n.mu.Lock()
		defer f.n.mu.Unlock()
		end, err := f.n.reserve(f.m, off+int64(len(p)))
		if n = int(max(0, end-off)); n > 0 {
			f.n.write(f.m, p[:n], off, f.opts.DataSync && !f.m.losesSyncs.Load())
		}
		return err
	})
	return n, err
}

// SyncData is Sync: the model knows no metadata but the size.
func (f *memFile) SyncData() error { return f.Sync() }

func (f *memFile) Sync() error {
	if err := f.check(false); err != nil {
		return wrap("sync", f.name, err)
	}
	return f.m.writeSide(Call{Op: OpSync, Name: f.name}, func() error {
		f.n.mu.Lock()
		defer f.n.mu.Unlock()
		if !f.m.losesSyncs.Load() {
			f.n.sync()
		}
		return nil
	})
}

// DropDirty is what a failed fsync may do: what was not yet synced is still
// read but no later sync makes it durable.
func (f *memFile) DropDirty() {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	f.n.log = nil
}

func (f *memFile) Truncate(size int64) error {
	err := f.check(true)
	if err == nil && size < 0 {
		err = syscall.EINVAL
	}
	if err != nil {
		return wrap("truncate", f.name, err)
	}
	return f.m.writeSide(Call{Op: OpTruncate, Name: f.name, Off: size}, func() error {
		f.n.mu.Lock()
		defer f.n.mu.Unlock()
		before := f.n.charged
		if _, err := f.n.reserve(f.m, size); err != nil {
			f.n.release(f.m, before*pageSize)
			return err
		}
		f.n.truncate(f.m, size)
		f.n.release(f.m, size)
		return nil
	})
}

func (f *memFile) Size() (int64, error) {
	if err := f.check(false); err != nil {
		return 0, wrap("stat", f.name, err)
	}
	f.n.mu.RLock()
	defer f.n.mu.RUnlock()
	return f.n.cur.size, nil
}

// ReadCached is false: this is the device.
func (f *memFile) ReadCached(p []byte, off int64) bool { return false }

// Prefetch does nothing: all files are in memory.
func (f *memFile) Prefetch(off, n int64) {}

func (f *memFile) Preallocate(off, n int64) error {
	err := f.check(true)
	if err == nil && (off < 0 || n <= 0) {
		err = syscall.EINVAL
	}
	if err != nil {
		return wrap("preallocate", f.name, err)
	}
	c := Call{Op: OpPreallocate, Name: f.name, Off: off, Len: int(n)}
	return f.m.writeSide(c, func() error {
		f.n.mu.Lock()
		defer f.n.mu.Unlock()
		before := f.n.charged
		_, err := f.n.reserve(f.m, off+n)
		if err != nil {
			f.n.release(f.m, before*pageSize)
		}
		return err
	})
}

// Mmap returns a copy: later writes are not seen through it.
func (f *memFile) Mmap(off, n int64, populate bool) (Mapping, error) {
	if err := f.check(false); err != nil {
		return nil, wrap("map", f.name, err)
	}
	f.n.mu.RLock()
	defer f.n.mu.RUnlock()
	if size := f.n.cur.size; off < 0 || n < 0 || off > size-n {
		return nil, wrap("map", f.name, fmt.Errorf("%w: [%d, +%d) of %d bytes", io.ErrUnexpectedEOF, off, n, size))
	}
	b := make([]byte, n)
	f.n.cur.read(b, off)
	return &memMapping{name: f.name, off: off, b: b}, nil
}

type memMapping struct {
	name string
	off  int64
	b    []byte
}

func (m *memMapping) Bytes() []byte { return m.b }
func (m *memMapping) Name() string  { return m.name }
func (m *memMapping) Offset() int64 { return m.off }
func (m *memMapping) Close() error  { m.b = nil; return nil }
