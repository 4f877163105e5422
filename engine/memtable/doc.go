// Package memtable holds the newest rows of one table in memory, off the Go
// heap.
//
// A Memtable takes records with Put and yields what they reconcile to through
// Iter, a mutation.Source; PutAll and LinkAll take many that need not be seen
// together, and Rows finds many single rows. It
// never shrinks; the engine writes it to a table file and calls Free when
// nobody reads it any more.
//
// # Structure
//
//	shards     by the top bits of the token; 1, doubling up to 2 x cores
//	directory  of a shard: list heads by the next token bits, about one
//	           partition a slot, doubled when the load passes 1
//	partition  a node in the list of its slot, in the order of (token, key)
//	state      of a partition: its deletion, static row, rows and boundaries of
//	           range deletions; immutable, replaced by one atomic store
//	rows       one entry, or a copy-on-write B+tree over the first 8 bytes of the
//	           clustering; boundaries likewise
//
// Slots of one list may share its links: after a directory has doubled, both
// halves of a slot start with the old head, and a walk skips what lies below
// its slot and stops behind it. A slot whose list has become long (only keys
// chosen for it do that) is marked, and its partitions are then in one tree.
//
// # Pieces
//
// Memory is an arena of chunks from an Allocator. A reference is 4 bytes: the
// number of the chunk (13 bits) and the place in it in units of 8 bytes (18
// bits); bit 31 is free for a tag. 0 is nothing. Numbers have the machine's
// byte order; nothing of this is ever written to a disk.
//
//	partition   -8 u64 token, ordered | +0 u32 next | +4 u32 state, or with bit
//	            31 the entry of the only row | +8 u16 length of the key | +12 key
//	state       +0 i64 timestamp and +8 u32 local time of the deletion
//	            +12 u32 1 if there is one | +16 u32 static row's entry
//	            +20 u32 row's entry, or with bit 31 root | +24 u32 root of boundaries
//	entry       +0 u32 length of the row | +4 u32 entry of an older version
//	            +8 u16 length of the clustering | +12 clustering | row
//	tree node   +0 u64 transaction << 16 | kind << 8 | count
//	            +8 heads, 8 bytes each | references, 4 bytes each
//	            inner nodes: | smallest entry of each child, 4 bytes each
//
// An entry of a boundary holds instead of a row the deletion in force above
// it. A row of more than 1 KiB is not copied by every small update: an entry
// links to an older version more than twice as large, and readers reconcile
// the versions, of which there are few because sizes double.
//
// # Thread safety
//
// Put locks the shard of the record's partition; readers lock nothing. A
// reader loads a partition's state once and sees all of a record or nothing.
// What readers follow (heads, next, state, the table of chunks) is stored and
// loaded atomically. Everything else is written before it is published and
// never changed after.
//
// # Invariants
//
//   - The list that starts at a slot's head holds every partition of that slot
//     in order.
//   - A piece that was unlinked in epoch e is reused at e+2 at the earliest; an
//     Iter is pinned in one epoch from Init to Close, and the epoch advances
//     only if nobody is pinned in the one before.
//   - A tree node may be changed in place only by the transaction whose number
//     it carries.
//
// While an Iter is open nothing that is replaced can be used again. What waits
// for that is bounded: beyond 65536 pieces a shard forgets them, and they come
// back only with Free. A hot row that is overwritten under a long scan thus
// still makes Bytes grow and so leads to a flush.
//
// The package does no I/O and does not know the commit log. It does not purge,
// and data that a partition's or range's deletion shadows stays until the
// flush. A range deletion costs O(log n) for each boundary that it meets, so
// many wide ones over many newer narrow ones are slow.
package memtable
