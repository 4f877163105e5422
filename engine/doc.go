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
// links the rows into the memtable. It is acknowledged when the flusher has
// synced it; until then it is counted (see unsynced), and a read of its
// partition would block, or waits for the sync: what a read has returned is
// not taken back by a power cut. In mode periodic, and in keyspaces without a
// log, a write is visible as soon as it is linked. A full memtable is switched
// under the lock alone, written as a table file, named by the manifest and
// dropped; the log below every table's first unflushed position is recycled.
//
// At the start one goroutine reads the log, and a worker for each core stores
// the records of its range of tokens; their order does not matter. They go to
// memtables if the log is small. A larger one would only pass through them into
// files: then each worker gathers a run of records, sorts it and writes it as a
// table file while the next is gathered. Records of small tables, records that
// overwrite each other, and a little rest at the end go to memtables all the
// same; a full one is written while the others go on. A table that got files is
// flushed once the store is open: only then the log is, and a mark in it can tell
// the next start that it need not write the same files again.
//
// # A read
//
// A table's view lists its memtables and files. It is immutable and replaced
// as a whole; a read pins it with a count, merges what it needs and unpins.
// Nothing waits for a lock; a partition with an unsynced write is waited for.
//
// A point read asks the filters of all files first and looks into the newest
// first where several may have the row: what is older than every cell that it
// wants stays closed. Files outside of the token or clustering ranges that are
// wanted are left out unread.
//
// TryRows reads many single rows at once: memtables look several keys up together
// (memtable.Rows), and a row of which one memtable or file alone has a version that
// counts is handed on as it is, without a merge, if that needs no disk. Others are
// read as above.
//
// TryRead and TryRows never wait. Of files they read what is in the block cache or
// mapped, and a bounded number of bytes of what is in the page cache.
//
// # Compaction
//
// compactLoop asks the pickers of package compaction what to do for tables in
// which a file came or a task ended, and does it in at most half as many
// goroutines as there are cores. A task reads its inputs past the cache, yields
// to flushes, and replaces the inputs by one edit of the manifest unless a
// truncation or a drop has taken one away meanwhile. If it fails, the inputs
// stay.
//
// What a partition's tombstones might still shadow is asked of the view of the
// moment when the partition is merged: memtables that have it, and files that
// may by their filter. A table purges nothing while the next start would replay
// records that are in its files (see table.logged).
//
// # Memory
//
// Memtables take chunks from the share of that name: at MemtableSize the
// largest is flushed, at the limit a try is refused and a write waits. Indexes
// and filters of open files are charged to the metadata's share; what they need
// beyond it, and what mode auto maps, is taken from the block cache.
//
// # Full disk
//
// Above 95 % of the disk, or when the log cannot get a segment, writes are
// refused with ErrDiskFull. Reads and what is acknowledged are not touched, and
// writes are taken again without a restart.
//
// # What must hold
//
//   - A record below a table's mark is in its files; one at or above it is in
//     the log and, while the engine is open, in a memtable.
//   - A file is synced, and so is its directory, before the manifest names it;
//     the manifest's edit is synced before a memtable is dropped, a log segment
//     recycled or an input of a compaction removed.
//   - The manifest names the log's start before a segment below it is used
//     again.
//   - If an edit failed and nobody knows whether it is durable, the files that
//     it names stay on disk; the next start knows.
//   - A start whose replay fails takes back the files that it wrote: the log still
//     holds all that is in them.
//   - A tombstone is purged only where no memtable, no other file and no record
//     that would be replayed can hold something that it shadows.
//   - After the first failed write or sync of log or manifest nothing is
//     acknowledged any more.
//   - In modes batch and group a read returns nothing that a power cut would
//     take back.
//   - Locks are taken in the order compactMu, table.mu; table.change, which is
//     held over I/O, before both.
//
// # Tests
//
// The crash sweep cuts the power, and fails a call, at every call that changes
// the disk; with the tag mutants it must catch ten deliberate bugs. The model
// test compares random work under random options with package mutationtest's
// model, over restarts and crashes. The tag long makes both larger and measures
// a restart.
//
// # What it does not do
//
// It applies no limits, filters or liveness to a read, and does not restamp or
// refuse by epoch: that is for who serves it to other nodes. It takes no
// snapshot by itself, and streams nothing.
//
// The engine knows partition keys and clusterings as bytes, and of the schema
// only the tables' options and column ids. It is safe for concurrent use.
package engine
