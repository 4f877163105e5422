// Package manifest keeps the durable list of what an engine's directory holds:
// which table files are live, from which log position each table must be
// replayed, what was truncated or dropped.
//
// Open reads the newest manifest file into a State; Apply makes an Edit
// durable and then part of the State. Every open begins a new file with one
// snapshot edit, put in place by rename, so files stay small and the file with
// the highest number is whole.
//
// # Format
//
// A file manifest-NNNNNNNNNN is a run of edits. Each is written twice, back to
// back, by one write and one sync: a damaged copy is served by the other, two
// damaged copies with a later edit behind them are rot, and two at the very
// end are a torn write that nobody was told of. A copy is padded with zeros to
// a multiple of 4096 bytes. Little-endian:
//
//	+0   u32  magic "ILMF"
//	+4   u32  CRC32C of everything from +8 to the end of the payload
//	+8   u64  sequence number, 1 for the first edit of the file
//	+16  u32  payload length
//	+20  u8   format version (1)
//	+21  u8   required features: unknown ones are refused
//	+22  u16  zero
//	+24  ..   payload: operations, each u8 kind | varint length | body
//
// Operations (bodies; "table" is 16 bytes, "position" u64 segment | u32 offset,
// "mark" position | u64 next segment | varint n | n positions, see Mark):
//
//	1 next file id   u64
//	2 add file       table | u64 file id | u64 size
//	3 remove file    table | u64 file id
//	4 flushed        table | mark: records below it are in files
//	5 truncated      table | mark | i64 microseconds
//	6 drop table     table
//	7 purge bound    table | u32 highest local time ever purged at
//	8 log start      position: no table needs a record below it
//
// An unknown operation is refused unless its kind has bit 7 set.
//
// A Manifest is safe for concurrent use; edits are applied one at a time.
package manifest
