// Package sstable writes and reads tables: immutable files of partitions in
// the order of (token, key) with their rows and range deletions in clustering
// order.
//
//	w, err := sstable.NewWriter(fs, name, sstable.Options{Codec: sstable.LZ4})
//	w.BeginPartition(&p); w.AddRow(clustering, row); w.EndPartition()
//	meta, err := w.Finish() // durable; then sync the directory
//
//	r, err := sstable.Open(fs, name, sstable.OpenOptions{Cache: c, FileID: 7})
//	it := r.NewIter(nil, sstable.IterOptions{})
//	if r.MayContain(bloom.HashKey(token.Ordered(), key)) && it.SeekPartition(token, key) { ... }
//
// # File
//
// Integers are little-endian; "varint" is LEB128, "zigzag" a varint of the
// zigzag form, "deletion" is i64 timestamp | u32 local time. A token is stored
// unsigned, with its highest bit flipped.
//
//	blocks, one behind the other, from offset 0
//	sections, at multiples of 8
//	zeros up to a multiple of 4096
//	footer, 4096 bytes
//
// # Footer
//
//	+0     8    "ILIONSST"
//	+8     u32  version (1)
//	+12    u32  number of sections, n
//	+16    u64  required features: a reader refuses a bit it does not know.
//	            1: rows and keys as package mutation encodes them in version 1
//	+24    u64  optional features
//	+32    u64  end of the blocks
//	+40    u64  end of the last section
//	+48    n x  u16 kind | u16 id | u32 CRC32C | u64 offset | u64 length
//	+4092  u32  CRC32C of the 4092 bytes before
//
// Kinds of sections, all with id 0; others are skipped: 1 separators of wide
// partitions, 2 filter (package bloom), 3 block index, 4 properties, 5 origin
// (in files of format level 2 and above).
//
// # Block
//
//	..   payload: the raw block, compressed by codec
//	u32  length of the raw block
//	u8   codec: 0 none, 1 lz4, 2 snappy, 3 zstd
//	u8   key id (0: not encrypted)
//	u32  CRC32C of everything before
//
// The raw block; o is 2 bytes, or 4 with flag 1:
//
//	+0   u16  flags: 1 wide offsets, 2 partition i has the one entry i,
//	          4 the first partition began in an earlier block,
//	          8 the last partition goes on in the next block,
//	          16 range deletion open at the start, 32 at the end,
//	          64 has tombstones, 128 has expiring cells, 256 has boundaries
//	+2   u8   w, bytes of a token offset, 0 to 8
//	+3   u8   zero
//	+4   u32  number of partitions, p, at least 1
//	+8   u32  number of entries, e
//	+12  u64  first token
//	+20  u64  last token
//	+28  i64  smallest timestamp
//	+36  i64  largest timestamp
//	+44  u16  length of the keys' common prefix
//	+46  u16  length of the clusterings' common prefix
//	     ..   deletion open at the start (flag 16), at the end (flag 32)
//	     ..   prefix of keys, prefix of clusterings
//	     p x w  token less the first token
//	     p x o  first entry of the partition (without flag 2)
//	     p x o  end of the partition's record, from that of record 0's start
//	     e x o  end of the entry, from entry 0's start
//	     ..   records of partitions
//	     ..   entries
//	     8    zeros, so that a token is one load
//
//	partition: u8 flags: 1 deletion, 2 static row, 4 goes on from an earlier
//	           block (and then nothing but its key) | varint length | key less
//	           the prefix | deletion (flag 1) | row up to the end (flag 2)
//	entry:     varint length x 2 + kind | clustering less the prefix | body
//	           kind 0: the body is a row
//	           kind 1: a boundary; u8 flags: 1 before, 2 after | deletion each
//
// An entry that would take a block over the block size begins the next one;
// a row larger than that has a block of its own.
//
// # Block index
//
// In parts of 16384 bytes but for the last: k x u64 first token, k x 5 bytes
// offset, u32 CRC32C; k is 1260 in a full part. The highest bit of an offset
// says that no earlier block holds anything of the first token.
//
// # Separators
//
//	u32 n | n x (u32 first block | u32 blocks | u64 offset) | heap
//
// for every partition of at least 3 blocks. At the offset in the heap: an u32
// end for every block but the first, and the separators that end there, each
// above all clusterings of the blocks before and not above those from its
// block on. A seek in a partition thus reads one block, or two.
//
// # Properties
//
// varint id | varint length | value, for the ids in propcodec.go. Unknown ones
// are kept.
//
// # Origin
//
//	u32 seconds since 1970 at which the file was made
//
// # Invariants
//
//   - Tokens, keys and clusterings ascend strictly; a boundary's Before is
//     what is in force.
//   - Every byte of a table that is used is under a CRC32C, checked on each
//     read from disk (once for each block of a mapped file), and every offset
//     and length within is checked before use: damage is a *CorruptError with
//     file and offset, never a panic and never a wrong row.
//   - A block in the cache has passed these checks.
//
// # Concurrency
//
// A Reader is safe for concurrent use; a Writer and an Iter belong to one
// goroutine. A Writer of more than 1 MiB has a goroutine that writes, which
// ends before Finish and Abort return.
//
// # What it does not do
//
// It merges nothing and purges nothing. Index and filter are resident, and
// MetadataBytes tells their size. Rows have no index of cells. Read-ahead is
// made by the caller's goroutine.
package sstable
