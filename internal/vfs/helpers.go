package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"unsafe"
)

// AlignedBytes returns n zero bytes of heap memory that start at a multiple of
// DirectAlign, as direct I/O needs them.
func AlignedBytes(n int) []byte {
	b := make([]byte, n+DirectAlign)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % DirectAlign
	return b[skip : skip+uintptr(n) : skip+uintptr(n)]
}

// aligned tells whether direct I/O may use p at off.
func aligned(p []byte, off int64) bool {
	return len(p)%DirectAlign == 0 && off%DirectAlign == 0 &&
		uintptr(unsafe.Pointer(unsafe.SliceData(p)))%DirectAlign == 0
}

// probeName is the file that ProbeDirect leaves behind at most after a crash.
const probeName = ".probe-direct"

// ProbeDirect tells whether dir takes direct I/O: one aligned durable write is
// read back and removed. An open may succeed and the write still fail, so
// nothing less than the write is an answer.
func ProbeDirect(fs FS, dir string) (err error) {
	name := path.Join(dir, probeName)
	if err := fs.Remove(name); err != nil && !errors.Is(err, ErrNotExist) {
		return err
	}
	f, err := fs.Create(name, OpenOptions{Direct: true, DataSync: true})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close(), fs.Remove(name))
	}()
	out, in := AlignedBytes(DirectAlign), AlignedBytes(DirectAlign)
	for i := range out {
		out[i] = byte(i*7 + i>>8)
	}
	if _, err := f.WriteAt(out, 0); err != nil {
		return err
	}
	if n, err := f.ReadAt(in, 0); n < len(in) {
		return err
	}
	if !bytes.Equal(in, out) {
		return &Error{Op: "probe direct I/O", Path: name, Err: errors.New("read back other bytes than were written")}
	}
	return nil
}

// WriteFileAtomic makes name hold data, durably, or leaves what was there
// before: the data is written to name.tmp, synced, renamed, and the directory
// is synced. A name.tmp left by a crash is replaced. After an error either the
// old or the new content may be found; callers that must know read it back.
func WriteFileAtomic(fs FS, name string, data []byte) error {
	tmp := name + ".tmp"
	if err := fs.Remove(tmp); err != nil && !errors.Is(err, ErrNotExist) {
		return err
	}
	f, err := fs.Create(tmp, OpenOptions{})
	if err != nil {
		return err
	}
	if len(data) > 0 {
		_, err = f.WriteAt(data, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fs.Rename(tmp, name)
	}
	if err != nil {
		// The first error is the one to tell; the next call removes tmp again.
		_ = fs.Remove(tmp)
		return err
	}
	return fs.SyncDir(path.Dir(name))
}

// ReadFile returns the whole file and fails with ErrTooLarge, having allocated
// nothing, if it is over max bytes.
func ReadFile(fs FS, name string, max int64) ([]byte, error) {
	f, err := fs.Open(name, OpenOptions{})
	if err != nil {
		return nil, err
	}
	b, err := readAll(f, max)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

func readAll(f File, max int64) ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > max {
		return nil, &Error{Op: "read", Path: f.Name(), Err: fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, max)}
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		if err == io.EOF {
			err = &Error{Op: "read", Path: f.Name(), Err: io.ErrUnexpectedEOF}
		}
		return nil, err
	}
	return b, nil
}

// MkdirAllSync makes dir and its missing parents and makes their names
// durable. It also syncs the parent of a directory that exists, because an
// earlier process may have died between making and syncing it.
func MkdirAllSync(fs FS, dir string) error {
	sync := []string{path.Dir(dir)}
	for at := path.Dir(dir); at != path.Dir(at); at = path.Dir(at) {
		_, err := fs.Stat(at)
		if err == nil {
			break
		}
		if !errors.Is(err, ErrNotExist) {
			return err
		}
		sync = append(sync, path.Dir(at))
	}
	if err := fs.MkdirAll(dir); err != nil {
		return err
	}
	// From the top: a name is worth nothing before its directory's own.
	for i := len(sync) - 1; i >= 0; i-- {
		if err := fs.SyncDir(sync[i]); err != nil {
			return err
		}
	}
	return nil
}

// Exists tells whether there is a file or directory of that name.
func Exists(fs FS, name string) (bool, error) {
	_, err := fs.Stat(name)
	if errors.Is(err, ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
