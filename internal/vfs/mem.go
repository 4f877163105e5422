package vfs

import (
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// Mem is a file system in memory that models what a power cut leaves. It takes
// the contract of FS at its word: a write is durable after a sync of its file,
// a name after a sync of its directory, and nothing else ever is. A crash image
// is made by CrashClone.
//
// Mem checks what a real disk would: direct I/O must be aligned, also in
// memory. Mappings are copies.
//
// Lock order: crash, names, memNode.mu.
type Mem struct {
	// crash is held shared by every call that changes something, and exclusively
	// by CrashClone, so that an image is that of one moment.
	crash sync.RWMutex

	names sync.RWMutex // protects directories, links and opens of nodes, locks
	root  *memNode
	locks map[*memNode]bool

	seq        atomic.Uint64
	usedPages  atomic.Int64
	capPages   atomic.Int64 // 0: no limit
	losesSyncs atomic.Bool
	losesDirs  atomic.Bool
	hook       atomic.Pointer[func(Call)]
}

// NewMem returns an empty file system that holds the directory "/".
func NewMem() *Mem { return &Mem{root: newDirNode(), locks: map[*memNode]bool{}} }

// SetCapacity limits the space to a number of bytes, rounded down to pages of
// 4 KiB; 0 is no limit. A write that needs more fails with ErrNoSpace, having
// written what fits.
func (m *Mem) SetCapacity(bytes int64) {
	if bytes > 0 {
		bytes = max(bytes, pageSize)
	}
	m.capPages.Store(bytes / pageSize)
}

// LoseSyncs makes syncs of files (also those of DataSync writes) and of
// directories succeed without effect, as a lying disk does. Tests use it to
// show that they would notice a missing sync.
func (m *Mem) LoseSyncs(files, dirs bool) {
	m.losesSyncs.Store(files)
	m.losesDirs.Store(dirs)
}

// OnWriteSide sets what is called before and after every call that changes
// something or syncs, without any lock held: it may call CrashClone. Nil
// removes it. A clone has none.
func (m *Mem) OnWriteSide(f func(Call)) {
	if f == nil {
		m.hook.Store(nil)
		return
	}
	m.hook.Store(&f)
}

func (m *Mem) nextSeq() uint64 { return m.seq.Add(1) }

// takePages reserves up to n pages and returns how many it got.
func (m *Mem) takePages(n int64) int64 {
	for {
		used, limit := m.usedPages.Load(), m.capPages.Load()
		got := n
		if limit > 0 {
			got = max(0, min(n, limit-used))
		}
		if m.usedPages.CompareAndSwap(used, used+got) {
			return got
		}
	}
}

// writeSide runs a change between the hook's two calls and wraps its error.
func (m *Mem) writeSide(c Call, f func() error) error {
	hook := m.hook.Load()
	if hook != nil {
		(*hook)(c)
	}
	m.crash.RLock()
	err := f()
	m.crash.RUnlock()
	if c.NewName == "" {
		err = wrap(c.Op.String(), c.Name, err)
	} else {
		err = wrap(c.Op.String(), c.Name+" to "+c.NewName, err)
	}
	if hook != nil {
		c.After, c.Err = true, err
		(*hook)(c)
	}
	return err
}

// changeNames is writeSide with names held.
func (m *Mem) changeNames(c Call, f func() error) error {
	return m.writeSide(c, func() error {
		m.names.Lock()
		defer m.names.Unlock()
		return f()
	})
}

// Create implements FS.
func (m *Mem) Create(name string, o OpenOptions) (File, error) {
	n := newFileNode()
	err := m.changeNames(Call{Op: OpCreate, Name: name}, func() error {
		d, base, err := m.parent(name)
		if err != nil {
			return err
		}
		if d.cur[base] != nil {
			return syscall.EEXIST
		}
		n.links, n.opens = 1, 1
		d.change(m.nextSeq(), dirEntry{base, n})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &memFile{m: m, n: n, name: name, opts: o, writable: true}, nil
}

// Open implements FS.
func (m *Mem) Open(name string, o OpenOptions) (File, error) { return m.open(name, o, false) }

// OpenRW implements FS.
func (m *Mem) OpenRW(name string, o OpenOptions) (File, error) { return m.open(name, o, true) }

func (m *Mem) open(name string, o OpenOptions, writable bool) (File, error) {
	m.names.Lock()
	defer m.names.Unlock()
	n, err := m.lookup(name)
	if err == nil && n.dir != nil {
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, wrap("open", name, err)
	}
	n.opens++
	return &memFile{m: m, n: n, name: name, opts: o, writable: writable}, nil
}

// Rename implements FS. Within one directory it is atomic over a crash.
func (m *Mem) Rename(oldName, newName string) error {
	return m.changeNames(Call{Op: OpRename, Name: oldName, NewName: newName}, func() error {
		return m.rename(oldName, newName)
	})
}

// Link implements FS.
func (m *Mem) Link(oldName, newName string) error {
	return m.changeNames(Call{Op: OpLink, Name: oldName, NewName: newName}, func() error {
		n, err := m.lookup(oldName)
		if err != nil {
			return err
		}
		if n.dir != nil {
			return syscall.EPERM
		}
		d, base, err := m.parent(newName)
		if err != nil {
			return err
		}
		if d.cur[base] != nil {
			return syscall.EEXIST
		}
		n.links++
		d.change(m.nextSeq(), dirEntry{base, n})
		return nil
	})
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	return m.changeNames(Call{Op: OpRemove, Name: name}, func() error {
		d, base, err := m.parent(name)
		if err != nil {
			return err
		}
		n := d.cur[base]
		if n == nil {
			return syscall.ENOENT
		}
		if n.dir != nil && len(n.dir.cur) > 0 {
			return syscall.ENOTEMPTY
		}
		m.unlink(d, base)
		return nil
	})
}

// RemoveAll implements FS.
func (m *Mem) RemoveAll(name string) error {
	return m.changeNames(Call{Op: OpRemoveAll, Name: name}, func() error {
		d, base, err := m.parent(name)
		if err == syscall.ENOENT {
			return nil
		}
		if err != nil {
			return err
		}
		n := d.cur[base]
		if n == nil {
			return nil
		}
		if n.dir != nil {
			m.removeTree(n.dir)
		}
		m.unlink(d, base)
		return nil
	})
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(dir string) error {
	return m.changeNames(Call{Op: OpMkdir, Name: dir}, func() error { return m.mkdirAll(dir) })
}

// List implements FS.
func (m *Mem) List(dir string) ([]string, error) {
	m.names.RLock()
	defer m.names.RUnlock()
	n, err := m.lookup(dir)
	if err == nil && n.dir == nil {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, wrap("list", dir, err)
	}
	return slices.Sorted(maps.Keys(n.dir.cur)), nil
}

// Stat implements FS.
func (m *Mem) Stat(name string) (Info, error) {
	m.names.RLock()
	defer m.names.RUnlock()
	n, err := m.lookup(name)
	if err != nil {
		return Info{}, wrap("stat", name, err)
	}
	if n.dir != nil {
		return Info{Dir: true}, nil
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return Info{Size: n.cur.size}, nil
}

// SyncDir implements FS.
func (m *Mem) SyncDir(dir string) error {
	return m.changeNames(Call{Op: OpSyncDir, Name: dir}, func() error {
		n, err := m.lookup(dir)
		if err != nil {
			return err
		}
		if n.dir == nil {
			return syscall.ENOTDIR
		}
		if !m.losesDirs.Load() {
			n.dir.sync()
		}
		return nil
	})
}

// DiskUsage implements FS. Without a capacity the disk is 1 TiB.
func (m *Mem) DiskUsage(dir string) (Usage, error) {
	if _, err := m.Stat(dir); err != nil {
		return Usage{}, wrap("disk usage", dir, syscall.ENOENT)
	}
	total := m.capPages.Load()
	if total == 0 {
		total = 1 << 40 / pageSize
	}
	free := max(0, total-m.usedPages.Load())
	return Usage{Total: uint64(total) * pageSize, Free: uint64(free) * pageSize}, nil
}

// Memory implements FS: a simulated machine does not tell.
func (m *Mem) Memory() int64 { return 0 }

// Lock implements FS. A clone holds no locks: its machine has restarted.
func (m *Mem) Lock(name string) (io.Closer, error) {
	f, err := m.OpenRW(name, OpenOptions{})
	if err != nil {
		f, err = m.Create(name, OpenOptions{})
	}
	if err != nil {
		return nil, wrap("lock", name, err)
	}
	mf := f.(*memFile)
	m.names.Lock()
	held := m.locks[mf.n]
	m.locks[mf.n] = true
	m.names.Unlock()
	if held {
		mf.Close()
		return nil, wrap("lock", name, ErrLocked)
	}
	l := &memLock{f: mf}
	if err = mf.Truncate(0); err == nil {
		_, err = mf.WriteAt(lockText(), 0)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

type memLock struct{ f *memFile }

func (l *memLock) Close() error {
	if err := l.f.Close(); err != nil {
		return err
	}
	l.f.m.names.Lock()
	defer l.f.m.names.Unlock()
	delete(l.f.m.locks, l.f.n)
	return nil
}
