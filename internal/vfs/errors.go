package vfs

import (
	"errors"
	"io/fs"
	"syscall"
)

// More errors that callers compare with errors.Is.
var (
	// ErrClosed is returned for a file, lock or queue that has been closed.
	ErrClosed = fs.ErrClosed
	// ErrUnaligned is returned for direct I/O whose offset, length or memory is
	// not a multiple of DirectAlign.
	ErrUnaligned = errors.New("direct I/O is not aligned")
	// ErrTooLarge is returned by ReadFile for a file over the caller's maximum.
	ErrTooLarge = errors.New("file is larger than allowed")
	// ErrMapFault is wrapped by a MapFaultError.
	ErrMapFault = errors.New("fault while reading mapped file")
	// ErrIO is the error of a failing device, as Fault injects it by default. It
	// is the system's EIO, so that one comparison finds both.
	ErrIO error = syscall.EIO
)

// Error is a failed call: its operation, its path and the cause. errors.Is
// finds both the sentinel of this package and the system's error number.
type Error struct {
	Op   string
	Path string
	// Kind is a sentinel of this package, or nil if none fits.
	Kind error
	// Err is the cause, never nil.
	Err error
}

func (e *Error) Error() string { return e.Op + " " + e.Path + ": " + e.Err.Error() }

// Unwrap lets errors.Is and errors.As see the sentinel and the cause.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// wrap makes an *Error of a failed call and returns nil for nil. The path of
// an error from package os is dropped in favour of ours.
func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	return &Error{Op: op, Path: name, Kind: kindOf(err), Err: err}
}

func kindOf(err error) error {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return nil
	}
	switch no {
	case syscall.EEXIST:
		return ErrExist
	case syscall.ENOENT:
		return ErrNotExist
	case syscall.ENOSPC, syscall.EDQUOT:
		return ErrNoSpace
	case syscall.EACCES, syscall.EPERM, syscall.EROFS:
		return ErrReadOnly
	}
	return nil
}
