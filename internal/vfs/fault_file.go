package vfs

// faultFile is an open file of a Fault.
type faultFile struct {
	File
	f *Fault
}

// dirtyDropper is a file that can forget what it has not synced (see
// memFile.DropDirty).
type dirtyDropper interface{ DropDirty() }

// DropDirty passes on, so that Faults can be stacked.
func (f *faultFile) DropDirty() {
	if d, ok := f.File.(dirtyDropper); ok {
		d.DropDirty()
	}
}

func (f *faultFile) Close() error {
	c := Call{Op: OpClose, Name: f.Name()}
	r := f.f.hit(c)
	// The descriptor is gone even if close fails.
	if err := f.File.Close(); err != nil || r.Err == nil {
		return err
	}
	return injected(c, r.Err)
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	c := Call{Op: OpRead, Name: f.Name(), Off: off, Len: len(p)}
	r := f.f.hit(c)
	if r.Err != nil {
		return 0, injected(c, r.Err)
	}
	n, err := f.File.ReadAt(p, off)
	if r.Corrupt != nil {
		r.Corrupt(p[:n], off)
	}
	return n, err
}

// ReadCached is false, so that every read is one that may fail.
func (f *faultFile) ReadCached(p []byte, off int64) bool { return false }

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	c := Call{Op: OpWrite, Name: f.Name(), Off: off, Len: len(p)}
	r := f.f.hit(c)
	off += r.Misdirect
	switch {
	case r.Err != nil && r.After:
		if n, err := f.File.WriteAt(p, off); err != nil {
			return n, err
		}
		return 0, injected(c, r.Err)
	case r.Err != nil:
		n, err := f.File.WriteAt(p[:min(r.Short, len(p))], off)
		if err == nil {
			err = injected(c, r.Err)
		}
		return n, err
	case r.Lost:
		return len(p), nil
	}
	return f.File.WriteAt(p, off)
}

func (f *faultFile) Sync() error     { return f.sync(f.File.Sync) }
func (f *faultFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *faultFile) sync(call func() error) error {
	c := Call{Op: OpSync, Name: f.Name()}
	r := f.f.hit(c)
	if r.DropDirty {
		f.DropDirty()
	}
	switch {
	case r.Err == nil && r.Lost:
		return nil
	case r.Err == nil:
		return call()
	case r.After:
		if err := call(); err != nil {
			return err
		}
	}
	return injected(c, r.Err)
}

func (f *faultFile) Truncate(size int64) error {
	return f.f.do(Call{Op: OpTruncate, Name: f.Name(), Off: size}, func() error { return f.File.Truncate(size) })
}

func (f *faultFile) Preallocate(off, n int64) error {
	c := Call{Op: OpPreallocate, Name: f.Name(), Off: off, Len: int(n)}
	return f.f.do(c, func() error { return f.File.Preallocate(off, n) })
}

func (f *faultFile) Size() (size int64, err error) {
	err = f.f.do(Call{Op: OpSize, Name: f.Name()}, func() (err error) {
		size, err = f.File.Size()
		return err
	})
	return size, err
}

// Mmap yields a changed copy if the rule corrupts.
func (f *faultFile) Mmap(off, n int64, populate bool) (Mapping, error) {
	c := Call{Op: OpMmap, Name: f.Name(), Off: off, Len: int(n)}
	r := f.f.hit(c)
	if r.Err != nil {
		return nil, injected(c, r.Err)
	}
	m, err := f.File.Mmap(off, n, populate)
	if err != nil || r.Corrupt == nil {
		return m, err
	}
	b := make([]byte, n)
	err = ReadMapped(m, b, 0)
	if cerr := m.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	r.Corrupt(b, off)
	return &memMapping{name: f.Name(), off: off, b: b}, nil
}
