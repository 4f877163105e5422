// Package vfs is the seam for files: the only package that touches them.
//
// # What is here
//
//   - FS, File, Mapping: the contract that the rest of the project codes to.
//   - OS: the operating system's file system (Linux; other Unixes without
//     direct I/O).
//   - Mem: a file system in memory that knows what has been synced and yields
//     what a disk might hold after a power cut (Mem.CrashClone).
//   - Fault: wraps any file system and fails, delays or corrupts chosen calls.
//   - Queue: a submission queue, for a writer with several writes in flight.
//   - Helpers: ReadFile, WriteFileAtomic, MkdirAllSync, ProbeDirect,
//     AlignedBytes, ReadMapped, ViewMapped.
//
// # Use
//
// A component takes an FS and full paths:
//
//	f, err := fs.Create(dir+"/000001.log", vfs.OpenOptions{DataSync: true})
//	...
//	_, err = f.WriteAt(block, off) // durable when it returns
//	err = fs.SyncDir(dir)          // and now so is the name
//
// # Invariants
//
//   - Nothing but Sync, SyncData, a DataSync write and SyncDir makes anything
//     durable. Mem takes this literally: a new directory, too, is durable only
//     after SyncDir of its parent (see MkdirAllSync).
//   - Files are created 0600 and directories 0700, whatever the umask.
//   - A call's error names the operation and the path, and errors.Is finds the
//     sentinel (ErrNoSpace, ...) as well as the system's error number.
//   - A failed sync says nothing about what is on disk; a later sync that
//     succeeds does not make up for it. Callers stop, they do not retry.
//
// # Concurrency
//
// FS and File values may be used from any goroutine. A File must not be used
// after Close; doing so yields an error, never another file's data.
//
// # What it does not do
//
// No buffering, no caching, no retries (except of interrupted calls), no
// appending (callers keep their own offset), no symbolic links, no permissions.
package vfs
