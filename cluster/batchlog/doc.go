// Package batchlog keeps logged batches until they have been applied
// everywhere: who coordinates one stores it on other nodes first, applies it,
// and then has it marked as done. What is not marked in time is replayed, so
// that a batch is applied as a whole or not at all, whoever dies.
//
// # Use
//
//	l, err := batchlog.Open(options)
//	err = l.Store(id, created, records, done) // done(nil): durable here
//	l.Done(id)                                // applied: forget it
//	l.Replay(sender)                          // once the node can send
//	err = l.Close()
//
// # Format
//
// DIR/STREAM-NUMBER.seg are the segments of package journal, one stream under
// the zero id, magic "ILIONBLG". Integers are little-endian, entries are
//
//	batch:  0   1   1
//	        1  16   id
//	       17   8   creation time in microseconds
//	       25       records: uvarint number, each uvarint length and the bytes
//
//	marks:  0   1   2
//	        1       ids of batches that are done, 16 bytes each
//
// A batch whose mark follows is done. Marks are gathered for a while before
// they are written: a crash replays batches that were done, which changes
// nothing.
//
// # Invariants
//
//   - A batch that was acknowledged is replayed, also after a crash, until the
//     sender says that it is done or Done was called.
//   - Segments are removed in order, the oldest first, when all of their batches
//     are done: a mark is never gone before its batch. A batch that stays
//     undone when the files fill up is written again at their end.
//   - Files are bounded by Options.MaxBytes; a batch beyond is refused with
//     ErrFull. Marks are always taken.
//
// # Concurrency
//
// All methods are safe for concurrent use. Goroutines: the journal's flusher
// and one that writes marks, replays and removes; it sleeps until something of
// that is due. No lock is held over I/O.
//
// # What it does not do
//
// It does not choose the nodes that hold a batch, and knows no replicas: the
// Sender applies what is replayed, with hints for who cannot be reached.
package batchlog
