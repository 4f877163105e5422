// Package metadata holds what all members of a cluster agree on: the schema
// and who the members are, as a log of entries that are applied one after the
// other, and the identity of this data directory.
//
// A Log is opened over a directory and answers Propose when the change is in
// force here and durable. Open makes the implementation for a single member;
// its files are such that a replicated log can take them over: entries have
// their own numbers, are chained by hash and name their proposer.
//
// An epoch is generation (16 bits, raised by each forced recovery) << 48 |
// index (48 bits). A schema snapshot carries the epoch of its last change.
//
// # Files
//
// All integers are little-endian. Names hold the index in 16 hex digits.
//
//	identity                  who this directory is
//	metadata/snapshot-I.meta  the state after entry I
//	metadata/log-I.meta       entries after I
//
// identity, replaced whole by a rename:
//
//	+0   8   "ILIONIDT"
//	+8   u16 version (1)
//	+10  u16 required features (0): a reader refuses a bit it does not know
//	+12  u16 format level that the directory is written in
//	+14  u16 generation of the cluster
//	+16  16  cluster id
//	+32  16  host id
//	+48  16  disk id, random when the directory was made
//	+64  u64 boot count, raised durably before the node serves
//	+72  i64 clock mark: microseconds that no stamp given out before is above
//	+80  i64 last time the node was known to be alive, microseconds
//	+88  u16 length of the cluster's name, at most 256; the name
//	     u32 CRC32C of all before
//
// log:
//
//	+0   8   "ILIONMLG"
//	+8   u16 version (1)
//	+10  u16 required features (0)
//	+12  u32 generation
//	+16  u64 index before the first entry
//	+24  32  chain hash of that index
//	+56  u32 0
//	+60  u32 CRC32C of all before
//	+64  entries, each followed by its mark
//
//	entry:
//	+0   u32 length of the payload, at most 16 MiB
//	+4   u32 CRC32C of all of the entry but these 4 bytes
//	+8   u64 index
//	+16  u16 kind: 1 schema change, 2 member
//	+18  u16 flags: 1 required, a reader that does not know the kind refuses it
//	+20  u32 0
//	+24  16  host id of the proposer
//	+40  32  chain hash: SHA-256 of the hash before, bytes 8 to 40 and the payload
//	+72      payload: schema.AppendChange, or a member
//
//	mark, at the next multiple of 512 in the file (zeros before it), written once
//	the entry is on disk:
//	+0   8   "ILIONMRK"
//	+8   u64 index
//	+16  u32 CRC32C of all before
//
// snapshot, made whole by a rename:
//
//	+0   8   "ILIONMSN"
//	+8   u16 version (1)
//	+10  u16 required features (0)
//	+12  u32 generation
//	+16  u64 index
//	+24  32  chain hash of that index
//	+56  u32 length of the schema, the schema (schema.AppendSnapshot)
//	     u32 number of members, each u32 length and the member
//	     u32 CRC32C of all before
//
//	member: fields (varint number<<1 | required, varint length, payload):
//	1 host id  2 data centre  3 rack  4 token (i64), repeated
//
// # Invariants
//
// An entry is synced, then marked, then its mark is synced, and only then is
// it acknowledged and the next one written. So a bad entry without a mark
// after it was never acknowledged and is cut off; one with a mark, or with
// anything after it, is corruption and an error that names file and offset.
// The first failed write or sync ends the log: every later Propose fails, and
// whether the entry is there is unknown until the next start.
//
// The snapshot and log before the newest ones are kept: a snapshot that went
// bad is made again from them.
//
// # Concurrency
//
// All methods are safe for concurrent use. Proposals run one after the other;
// subscribers are called in that order, before Propose returns, and must not
// propose themselves. No lock is held over I/O.
//
// The package knows no network and no clock.
package metadata
