package vfs

import (
	"errors"
	"io"
)

// FS is a file system. Paths use '/' and are relative to nothing: callers pass
// full paths. Implementations are safe for concurrent use.
//
// Durability follows POSIX at its weakest: data is durable only after Sync or
// SyncData of its file, a directory entry (create, rename, link, remove) only
// after SyncDir of its directory.
type FS interface {
	// Create makes a new file and fails with ErrExist if there is one.
	Create(name string, o OpenOptions) (File, error)
	// Open opens an existing file for reading.
	Open(name string, o OpenOptions) (File, error)
	// OpenRW opens an existing file for reading and writing.
	OpenRW(name string, o OpenOptions) (File, error)
	Rename(oldName, newName string) error
	Link(oldName, newName string) error
	Remove(name string) error
	// RemoveAll removes a directory and what it holds; a missing one is no error.
	RemoveAll(name string) error
	MkdirAll(dir string) error
	// List returns the names in a directory, sorted.
	List(dir string) ([]string, error)
	Stat(name string) (Info, error)
	// SyncDir makes the directory's entries durable.
	SyncDir(dir string) error
	// Lock takes the file as an exclusive lock against other processes and
	// other callers in this one; it fails with ErrLocked at once if it is held.
	// The lock file holds the process id of its owner.
	Lock(name string) (io.Closer, error)
	// DiskUsage tells the space of the file system that holds dir.
	DiskUsage(dir string) (Usage, error)
	// Memory tells how many bytes this process could have, files in the page
	// cache and what it has now included; 0 if that is not known.
	Memory() int64
}

// OpenOptions says how a file is to be used.
type OpenOptions struct {
	// Direct asks for I/O past the page cache (O_DIRECT). Offsets, lengths and
	// buffers must then be multiples of DirectAlign (see AlignedBytes). A file
	// system that cannot do it fails the open or the first write.
	Direct bool
	// DataSync makes every write durable when it returns (O_DSYNC).
	DataSync bool
}

// DirectAlign is the alignment of offset, length and memory for direct I/O.
const DirectAlign = 4096

// File is an open file. ReadAt and WriteAt are safe for concurrent use and
// follow io.ReaderAt and io.WriterAt: a short read or write is an error.
type File interface {
	io.Closer
	io.ReaderAt
	io.WriterAt
	// Sync makes data and metadata durable, SyncData data and size only.
	Sync() error
	SyncData() error
	Truncate(size int64) error
	Size() (int64, error)
	// Preallocate reserves space without changing what is read.
	Preallocate(off, n int64) error
	// Prefetch asks for n bytes from off to be read into the page cache. It waits
	// as long as the device takes no more requests, not for their end. It is a
	// wish: nothing tells whether it was met.
	Prefetch(off, n int64)
	// ReadCached is ReadAt that does not wait for what is to be read from a device:
	// false means that not all of p could be had out of memory, or that it cannot
	// be told; what is in p is then undefined. What was missing may be asked for, as
	// by Prefetch.
	ReadCached(p []byte, off int64) bool
	// Mmap maps n bytes from off for reading. With populate the pages are read
	// in before it returns.
	Mmap(off, n int64, populate bool) (Mapping, error)
	Name() string
}

// Mapping is a mapped part of a file. Bytes may fault: read it through
// ReadMapped, which turns a fault into an error.
type Mapping interface {
	Bytes() []byte
	// Close unmaps. No reader may hold Bytes any more.
	Close() error
}

// Info describes a directory entry.
type Info struct {
	Size int64
	Dir  bool
}

// Usage is the space of a file system in bytes.
type Usage struct {
	Total, Free uint64
}

// Errors that callers compare with errors.Is.
var (
	ErrExist    = errors.New("file exists")
	ErrNotExist = errors.New("no such file or directory")
	ErrLocked   = errors.New("locked by another process")
	ErrNoSpace  = errors.New("no space left on device")
	ErrReadOnly = errors.New("permission denied or read-only file system")
)
