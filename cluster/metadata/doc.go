// Package metadata holds what all members of a cluster agree on: the schema,
// who the members are, who holds what, and the format level, as a log of entries
// that are applied one after the other; and the identity of this data directory.
//
// A Log is opened over a directory and answers Propose when the change is in
// force here and durable. Open makes the one for a single member, for embedded
// use. OpenReplicated makes the one of a cluster and takes the same directory
// over as it is. Its State is immutable and read without a lock.
//
// # The replicated log
//
// Up to five voters agree on entries with go.etcd.io/raft/v3, of which only the
// pure core is used: core drives it, with files, time and network from here. A
// committed entry gets the number that it has there, is chained to the one
// before by its hash, and goes into the same files as a single member's; all
// nodes keep these, voters or not. Who is no voter, or behind, hears of newer
// epochs (Hear) and pulls entries from any node that has them (ServePull), or a
// snapshot when they are no longer at hand. That works without a quorum; only
// new entries wait for one.
//
// A proposal is made by any node against its State: the checks of the caller and
// the placements are computed there and only there, so that nodes of different
// versions cannot place differently. It names the epochs of the schema and of
// the members that it was made against. If they are others by the time it is
// applied it is refused, by all nodes alike, and its proposer makes it anew. It
// goes to the leader, directly or through Network.Propose, again and again until
// its outcome is known or its context ends. Each has a random id, by which a
// second copy is found and not applied, for 256 entries; one that is older than
// that is refused.
//
// Voters are chosen by the leader: as many as an odd number allows, spread over
// data centres and racks. One that is no member any more, or was not heard of
// for 10 minutes while another could take its place, is replaced. However many
// come and go in a step, it is one joint change, so that never an even number
// votes, half of which could decide nothing without the other: 1, 3, then 5. The
// only voter of a cluster leads without waiting for a time-out.
//
// When most voters are lost for good, Recover makes this node (or those given)
// the only voters and begins a new generation, as an entry of the log. What only
// the lost nodes had is gone. A node with entries of an older generation beyond
// that point has another history: it is told so (ErrDiverged) and returns by
// Rejoin, which keeps its rows. Messages of voters carry the generation and are
// dropped by those of another.
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
//	metadata/raft-N.meta      votes and entries that are not agreed on yet; N
//	                          counts the files. Of a node that never voted it is
//	                          a header with zero terms
//	PART/owner                whose part of the directory this is
//
// identity, replaced whole by a rename:
//
//	+0   8   "ILIONIDT"
//	+8   u16 version (2; 1 has no parts)
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
//	     u16 parts that the directory must have, bits: 1 data, 2 commitlog,
//	     4 metadata, 8 a raft file, 16 hints, 32 batchlog
//	     u32 CRC32C of all before
//
// owner, in each of these parts: which directory it belongs to. The identity
// names a part once that is durable, before anything in it is acknowledged; a
// part that has gone, or is another's, then refuses the start.
//
//	+0   8   "ILIONOWN"
//	+8   u16 version (1)
//	+10  u16 required features (0)
//	+12  16  disk id
//	+28  u32 CRC32C of all before
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
//	+16  u16 kind: 1 schema change, 2 member (both of single members), 3 command
//	+18  u16 flags: 1 required, a reader that does not know the kind refuses it
//	+20  u32 0
//	+24  16  host id of the proposer
//	+40  32  chain hash: SHA-256 of the hash before, bytes 8 to 40 and the payload
//	+72      payload: schema.AppendChange, a member, or a command
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
//	+8   u16 version (1, or 2 once there was an entry of kind 3)
//	+10  u16 required features (0)
//	+12  u32 generation
//	+16  u64 index
//	+24  32  chain hash of that index
//	+56  u32 length of the schema, the schema (schema.AppendSnapshot)
//	     u32 number of members, each u32 length and the member
//	     version 2: fields, below
//	     u32 CRC32C of all before
//
// All fields are: varint number<<1 | required, varint length, payload. Hosts are
// a varint count and 16 bytes each.
//
//	of a member: 1 host id  2 data centre  3 rack  4 token (i64), repeated
//	not required: 5 address  6 native address  7 lowest (u16) and
//	8 highest format level (u16)
//
//	of a command: 1 term (u64)  2 proposal id (16)  3 host id of the proposer
//	4 index that it knew (u64)  5 epoch of the schema (u64)
//	6 epoch of the last change of members (u64)
//	and what it does, at most one of
//	7 schema change (schema.AppendChange)  8 member  9 host id that leaves
//	10 format level (u64)  13 end of a joint change of voters (empty)
//	14 generation that begins (u64), with 11 and 16 column ids of each table
//	that are left free (u64), at most 4,096
//	11 voters (hosts), with 12 those who also vote until 13 (hosts), both by host id
//	with 7, 8 and 9: 15 placements, repeated. A new leader's entry has 1 only.
//
//	of a snapshot: 1 term (u64)  2 format level (u64)  3 voters (hosts)
//	4 those who also vote until a joint change ends (hosts), both by host id
//	5 epoch of the last change of members (u64)
//	6 a generation (u16) and the last index before it (u64), repeated
//	7 proposal id (16), index (u64), epoch (u64), outcome (u8), repeated
//	8 placements, repeated
//
//	placements: varint number of keyspaces, each varint length and name; then
//	hosts; varint number of ranges, ascending, each: i64 end token, u64 epoch of
//	the last change of owners (0 in a command), varint number of replicas, each
//	a varint position in hosts. A range starts where the one before ends.
//
// raft, made whole by a rename; the newest one counts:
//
//	+0   8   "ILIONRFT"
//	+8   u16 version (1)
//	+10  u16 required features (0)
//	+12  u32 generation
//	+16  u64 index before the first entry
//	+24  u64 term of that index
//	+32  u64 term that this node is in
//	+40  u64 the voter that it voted for in it, 0 for none
//	+48  12  0
//	+60  u32 CRC32C of all before
//	+64  records, each followed by its mark as in a log, with the record's number
//
//	record:
//	+0   u32 length of what follows the first 16 bytes, at most 64 MiB
//	+4   u32 CRC32C of all of the record but these 4 bytes
//	+8   u64 number: 1, 2, ... in the file
//	+16  u64 term that this node is in
//	+24  u64 the voter that it voted for in it
//	+32  u32 number of entries, each:
//	     u64 index, u64 term, u8 type and u32 length of the data as the library
//	     has them; data: a command without term, or for a change of voters a
//	     raftpb.ConfChangeV2 whose context is one
//
// An entry replaces the one of its index and all after it. A voter's number is
// the exclusive or of the two halves of its host id; members whose numbers are
// equal are refused.
//
// # Between nodes
//
// A message of voters (Network.Send, Step) is the generation (u16) and a
// raftpb.Message. A proposal is a command. The answer to it:
//
//	+0   u8  1 decided, 2 not the leader, 3 try again
//	+1   u8  outcome, if decided: see outcome in state.go
//	+2   u64 epoch of the entry, if decided
//	+10  16  the leader's host id, or 0
//
// The answer to a pull is u8: 0 nothing new; 1 entries as in a log, without
// marks, follow; 2 a snapshot as in its file follows; 3 the asker's history is
// another. It is within 4 MiB unless one entry or the snapshot is larger.
//
// # Invariants
//
// An entry is synced, then marked, then its mark is synced, and only then is
// it acknowledged and the next one written. So a bad entry without a mark
// after it was never acknowledged and is cut off; one with a mark, or with
// anything after it, is corruption and an error that names file and offset.
// The first failed write or sync ends the log: every later Propose fails, and
// whether the entry is there is unknown until the next start. A disk found full
// by a write is no such failure: a Replicated waits for space, a single member
// takes the entry back and refuses it, and puts a snapshot off to a later entry.
//
// A record of a raft file is synced and marked likewise before any message that
// depends on it is sent. An entry is in a raft file before it is committed, and
// leaves it only after it is in the log: a crash at any point loses no vote and
// no entry that was acknowledged to the leader.
//
// The snapshot before the newest one and the logs after it are kept: a snapshot
// that went bad is made again from them.
//
// No two nodes have different entries at one epoch. What an entry does depends
// on the entry and the state before it alone.
//
// # Concurrency
//
// All methods are safe for concurrent use. A Replicated has three goroutines,
// which Close ends: one owns the raft core and the files, one calls subscribers
// in order, one pulls. A node's own proposals run one after the other. State,
// ServePull and Hear do not wait; subscribers must not call Propose or Wait,
// which return after they have been called. No lock is held over I/O.
//
// Only a node that votes, or did, wakes up by itself.
//
// The package knows no network and no clock but those that it is given. Only the
// spread of election time-outs is drawn by the library, from the operating
// system.
package metadata
