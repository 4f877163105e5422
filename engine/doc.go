// Package engine is one node's store: it makes mutations durable, keeps them
// readable, and rewrites what is old.
//
//	e, err := engine.Open(engine.Options{FS: vfs.OS, Dir: dir, Clock: clock.Real, Rand: rand.NewSecure(), Schema: snapshot})
//	err = e.ApplySync(ctx, record)
//	src, err := e.Read(ctx, &mutation.ReadCommand{...})
//
// A directory holds
//
//	commitlog/         segments of the log that all tables share
//	data/manifest-N    what is live, see package manifest
//	data/TABLE/N.sst   table files; TABLE is the table's id in hex
//	snapshots/TAG/...  hard links to table files
//
// # A write
//
// Apply holds its table's lock shared while it takes a position in the log and
// links the rows into the memtable. The write is then visible, and it is
// acknowledged when the flusher has synced it. A full memtable is switched
// under the lock alone, written as a table file, named by the manifest and
// dropped; the log below every table's first unflushed position is recycled.
//
// # A read
//
// A table's view lists its memtables and files. It is immutable and replaced
// as a whole; a read pins it with a count, merges what it needs and unpins.
// Nothing waits for a lock.
//
// # What must hold
//
//   - A record below a table's flushed position is in its files; one at or
//     above it is in the log and, while the engine is open, in a memtable.
//   - A file is synced, and so is its directory, before the manifest names it;
//     the manifest's edit is synced before a memtable is dropped, a log segment
//     recycled or an input of a compaction removed.
//   - A tombstone is purged only where no memtable and no other file of the
//     table can hold something that it shadows (compact.go).
//   - After the first failed write or sync of log or manifest nothing is
//     acknowledged any more.
//
// The engine knows partition keys and clusterings as bytes, and of the schema
// only the tables' options and column ids. It is safe for concurrent use.
package engine
