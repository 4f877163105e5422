// Package mutation holds the one encoding of data: the record that a
// statement becomes, the rows in it, how two versions of a row reconcile, and
// the streams of rows that memtables and tables yield and a merge joins.
//
// A record is a mutation of one partition. It is encoded once, by Builder, and
// those bytes travel, lie in the commit log and are copied into the memtable.
// A row inside it is the very byte string that a memtable and a data block
// hold. All integers are little-endian; "varint" is LEB128, "zigzag" a varint
// of the zigzag form.
//
// # Record
//
//	+0   u8   format version (1)
//	+1   u8   required flags: a reader refuses a bit it does not know
//	+2   u8   optional flags: a reader keeps and forwards what it does not know
//	+3   u8   source: 0 client 1 hint 2 batchlog 3 read repair 4 repair 5 stream 6 paxos
//	+4   16   table id
//	+20  u64  schema epoch of the node that encoded it
//	+28  i64  base timestamp in microseconds, re-stamped in place
//	+36  i64  token of the partition key
//	+44  u16  length of the partition key
//	+46  ..   partition key, as Cassandra serializes it
//	     ..   optional fields: u8 kind, 128 or more | varint length | value.
//	          A reader passes over a kind that it does not know, and keeps it
//	     ..   entries up to the end of the record, in no particular order
//
//	field 129, coordinator:      host id, 16 bytes (from format level 2 on)
//	entry 1, partition deletion: u8 1 | i64 timestamp | u32 local time
//	entry 2, static row:         u8 2 | varint length | row
//	entry 3, row:                u8 3 | varint length | clustering | varint length | row
//	entry 4, range deletion:     u8 4 | varint length | start | varint length | end
//	                                  | i64 timestamp | u32 local time
//
// A record names the node that made it, for a client, as its coordinator. A
// range deletion covers start <= clustering < end; an empty start or end is
// open. Bounds are byte strings made by schema.BoundBefore and BoundAfter.
//
// # Row
//
//	u8      flags: 1 marker, 2 marker expires, 4 row deletion,
//	               8 some cell is a tombstone, 16 some cell expires
//	i64     base timestamp: the largest timestamp in the row
//	zigzag  marker timestamp - base                (flag 1)
//	varint  marker TTL in seconds; u32 expiry      (flag 2)
//	zigzag  deletion timestamp - base; u32 local time  (flag 4)
//	varint  number of cells
//	cells   by (column id, path), a collection's deletion before its elements
//
//	cell:
//	varint  column id
//	u8      flags: 1 timestamp delta follows, 2 expires, 4 tombstone, 8 has path,
//	               16 deletion of the whole collection (with 4, without 8),
//	               32 original bytes of a clustering column (never makes a row live)
//	zigzag  timestamp - base                       (flag 1, else 0)
//	varint  TTL in seconds; u32 expiry             (flag 2)
//	u32     local deletion time                    (flag 4)
//	varint  length; path                           (flag 8)
//	varint  length; value                          (unless flag 4)
//
// Expiry and local deletion times are unsigned seconds since 1970. A path is
// the serialized set element or map key, or for a list 16 bytes that sort in
// list order.
//
// The encoding is canonical: equal content has equal bytes. The base is the
// largest timestamp, flags 8 and 16 are exact, varints are minimal, and what a
// deletion inside the row shadows is not there.
//
// # Reconcile
//
// Merging is commutative, associative and idempotent, so records may be
// applied in any order and more than once. The larger timestamp wins; at equal
// timestamps a tombstone beats an expiring cell and that beats a plain one,
// then the later local deletion or expiry time, then the smaller TTL, then the
// larger value by unsigned bytes. A deletion shadows everything at its
// timestamp or below.
//
// # Streams
//
// A Source yields partitions and their items; Merge is a Source made of many,
// Purger is what compaction leaves out of one, and Digest is by what replicas
// compare them. What a Merge yields is canonical: the same data gives the same
// partitions, boundaries and bytes, however it was spread over the inputs.
//
// The package does no I/O, starts no goroutine and reads no clock. Types are
// not safe for concurrent use unless they say so; byte slices that readers
// return alias their input.
package mutation
