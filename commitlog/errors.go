package commitlog

import (
	"errors"
	"fmt"
)

// Errors that callers compare with errors.Is.
var (
	// ErrFailed is the answer to everything after the first failed write or
	// sync. A record whose waiter gets it may or may not be found by recovery.
	ErrFailed = errors.New("commit log failed")
	// ErrNoSpace means that the disk is full and the record was not logged.
	// Appends work again once space is free.
	ErrNoSpace = errors.New("no space for the commit log")
	// ErrWouldBlock is TryAppend's answer when the record would have to wait.
	ErrWouldBlock = errors.New("commit log: append would block")
	// ErrTooLarge is matched by every *TooLargeError.
	ErrTooLarge = errors.New("record is too large for the commit log")
	// ErrClosed is the answer after Close.
	ErrClosed = errors.New("commit log is closed")
	// ErrCorrupt is matched by every *CorruptError.
	ErrCorrupt = errors.New("commit log is corrupt")
	// ErrUnsupported is matched by every *UnsupportedError.
	ErrUnsupported = errors.New("commit log was written by a newer version")
)

// TooLargeError refuses a record, or a group, of Size bytes.
type TooLargeError struct {
	Size, Limit int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("commitlog: %d bytes are more than the maximum of %d", e.Size, e.Limit)
}

// Is matches ErrTooLarge.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }

// CorruptError is damage to what was durable. The start must stop; naming the
// file in Options.SetAside starts without what cannot be read.
type CorruptError struct {
	File   string
	Offset int64
	Detail string
	Cause  error // of a device that could not read; else nil
}

func (e *CorruptError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("commitlog: corrupt segment %s at offset %d: %s: %v", e.File, e.Offset, e.Detail, e.Cause)
	}
	return fmt.Sprintf("commitlog: corrupt segment %s at offset %d: %s", e.File, e.Offset, e.Detail)
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Cause }

// Is matches ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// UnsupportedError refuses a segment of a newer format.
type UnsupportedError struct {
	File, Detail string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("commitlog: cannot read segment %s: %s", e.File, e.Detail)
}

// Is matches ErrUnsupported.
func (e *UnsupportedError) Is(target error) bool { return target == ErrUnsupported }
