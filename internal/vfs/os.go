package vfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// OS is the operating system's file system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) Create(name string, o OpenOptions) (File, error) {
	return openOS("create", name, os.O_RDWR|os.O_CREATE|os.O_EXCL, o)
}

func (osFS) Open(name string, o OpenOptions) (File, error) {
	return openOS("open", name, os.O_RDONLY, o)
}

func (osFS) OpenRW(name string, o OpenOptions) (File, error) {
	return openOS("open", name, os.O_RDWR, o)
}

func openOS(op, name string, flag int, o OpenOptions) (File, error) {
	extra, err := openFlags(o)
	if err != nil {
		return nil, wrap(op, name, err)
	}
	f, err := os.OpenFile(name, flag|extra, 0o600)
	if err != nil {
		return nil, wrap(op, name, err)
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = syscall.EISDIR
		if !st.IsDir() {
			err = errors.New("not a regular file")
		}
	}
	var conn syscall.RawConn
	if err == nil {
		conn, err = f.SyscallConn()
	}
	if err != nil {
		f.Close()
		return nil, wrap(op, name, err)
	}
	return &osFile{f: f, conn: conn, opts: o}, nil
}

func (osFS) Rename(oldName, newName string) error {
	return wrapLink("rename", oldName, newName, os.Rename(oldName, newName))
}

func (osFS) Link(oldName, newName string) error {
	return wrapLink("link", oldName, newName, os.Link(oldName, newName))
}

func wrapLink(op, oldName, newName string, err error) error {
	if le := (*os.LinkError)(nil); errors.As(err, &le) {
		err = le.Err
	}
	return wrap(op, oldName+" to "+newName, err)
}

func (osFS) Remove(name string) error    { return wrap("remove", name, os.Remove(name)) }
func (osFS) RemoveAll(name string) error { return wrap("remove all", name, os.RemoveAll(name)) }
func (osFS) MkdirAll(dir string) error   { return wrap("mkdir", dir, os.MkdirAll(dir, 0o700)) }

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, wrap("list", dir, err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (osFS) Stat(name string) (Info, error) {
	st, err := os.Stat(name)
	if err != nil {
		return Info{}, wrap("stat", name, err)
	}
	return Info{Size: st.Size(), Dir: st.IsDir()}, nil
}

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return wrap("sync directory", dir, err)
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return wrap("sync directory", dir, err)
}

func (osFS) DiskUsage(dir string) (Usage, error) {
	var st unix.Statfs_t
	err := retry(func() error { return unix.Statfs(dir, &st) })
	if err != nil {
		return Usage{}, wrap("disk usage", dir, err)
	}
	unit := blockSize(&st)
	return Usage{Total: uint64(st.Blocks) * unit, Free: uint64(st.Bavail) * unit}, nil
}

// Lock uses flock, which belongs to the open file: a second open is refused
// in this process as in any other, and the kernel lets go when we die.
func (osFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, wrap("lock", name, err)
	}
	err = retry(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	if err == unix.EWOULDBLOCK {
		err = fmt.Errorf("%w %s", ErrLocked, lockOwner(f))
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(lockText(), 0)
	}
	if err != nil {
		f.Close()
		return nil, wrap("lock", name, err)
	}
	return f, nil
}

// lockText is what a lock file holds: the decimal process id and a newline.
func lockText() []byte { return fmt.Appendf(nil, "%d\n", os.Getpid()) }

func lockOwner(f *os.File) string {
	b := make([]byte, 24)
	n, _ := f.ReadAt(b, 0)
	return "(process " + strings.TrimSpace(string(b[:n])) + ")"
}

// retry repeats a system call that a signal interrupted.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
