package vfs

import (
	"fmt"
	"io"
	"runtime/debug"
	"unsafe"
)

// MapFaultError tells that the medium or a truncation took away a mapped page.
type MapFaultError struct {
	File string
	// Off is the offset in the file of the byte that could not be read.
	Off int64
}

func (e *MapFaultError) Error() string {
	return fmt.Sprintf("vfs: %s: offset %d: %v", e.File, e.Off, ErrMapFault)
}

// Unwrap makes errors.Is(err, ErrMapFault) true.
func (e *MapFaultError) Unwrap() error { return ErrMapFault }

// placed is what a Mapping may tell about where it comes from.
type placed interface {
	Name() string
	Offset() int64
}

// ReadMapped copies len(dst) bytes at off of the mapping. It allocates nothing
// unless it fails. A fault is a *MapFaultError; what dst holds is then undefined.
func ReadMapped(m Mapping, dst []byte, off int64) (err error) {
	b := m.Bytes()
	if off < 0 || off > int64(len(b))-int64(len(dst)) {
		return fmt.Errorf("vfs: mapped read of [%d, +%d) of %d bytes: %w", off, len(dst), len(b), io.ErrUnexpectedEOF)
	}
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if r := recover(); r != nil {
			err = faultOf(m, b, r)
		}
	}()
	copy(dst, b[off:])
	return nil
}

// ViewMapped calls f with the mapped bytes and returns its error. A fault
// inside f ends f and is returned as a *MapFaultError; any other panic passes
// through. f must not keep the slice and must leave nothing locked behind if
// it is cut short.
func ViewMapped(m Mapping, f func(b []byte) error) (err error) {
	b := m.Bytes()
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if r := recover(); r != nil {
			err = faultOf(m, b, r)
		}
	}()
	return f(b)
}

// faultOf turns a recovered panic into an error if it is a fault inside b and
// panics on otherwise.
func faultOf(m Mapping, b []byte, r any) error {
	fault, ok := r.(interface{ Addr() uintptr })
	if !ok {
		panic(r)
	}
	at := fault.Addr() - uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	if at >= uintptr(len(b)) {
		panic(r)
	}
	e := &MapFaultError{File: "mapped file", Off: int64(at)}
	if p, ok := m.(placed); ok {
		e.File = p.Name()
		e.Off += p.Offset()
	}
	return e
}
