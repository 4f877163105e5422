// Package wire is our own binary protocol, by which nodes talk with each other
// and fast clients with nodes: frames and the bodies of messages, encode and
// decode only. Package rpc carries them. What follows is enough to write
// another end of it.
//
// # Notation
//
// All integers are little-endian. u8 to u64 and i64 have that many bits;
// "varint" is LEB128 of at most 64 bits; "bytes" is a varint length and that
// many bytes; id is 16 bytes; [x] is there if a flag says so; x* is a varint
// count and that many x. Times are microseconds since 1970, "seconds" are u32
// since 1970. Flags and fields that this page does not name are of newer
// versions, numbers are never used for something else.
//
// # Frame
//
//	+0   u32  length of what follows the header, at most 16 MiB + 64 KiB + 105
//	+4   u32  stream
//	+8   u16  operation
//	+10  u8   flags: 1 answer, 2 the answer is an error, 4 compressed body, 8 one-way,
//	          16 further answers follow
//	+11  u8   version, 1
//	+12  u32  CRC32C of the 12 bytes before
//	+16  ..   prologue
//	     ..   body
//	     u32  CRC32C of prologue and body
//
// A damaged header or frame, an unknown flag or another version ends the
// connection, and so does a length over the limit.
//
// The prologue is a list of fields, each a varint (number << 1, plus 1 if it is
// required) and bytes, and ends with a zero byte. A reader skips a field that it
// does not know, but answers CodeUnsupported if it is required.
//
//	1  u64  the newest metadata epoch that the sender has
//	2  u32  microseconds until the asker stops waiting
//	3  ..   context of a traced request, at most 64 bytes
//
// With flag 4 the body is u32 its real length | one LZ4 block. The real length
// is at most the limit of a body (16 MiB + 64 KiB) and 255 times the block. It
// is used only towards a side whose hello has feature 1.
//
// Who dials asks and chooses streams as it likes; who accepts answers in any
// order, with the same stream and operation. Only OpPing (an empty body) may be
// asked by either side, as stream 0, and has to be answered by an empty body: a
// side that heard nothing for a while asks, and closes if nothing comes. One-way
// requests have stream 0 and get no answer, not even an error. An answer with
// flag 16 is one of several to the same request, of which the last has it not;
// only OpExecute, OpBatch and OpQuery are answered so, and no error has it.
//
// # Opening a connection
//
//	dialer                         acceptor
//	OpHello, hello           ->
//	                         <-    OpHelloReply, u16 length | hello | proof
//	OpProof, proof           ->
//	                         <-    OpProof, empty
//
// These frames are at most 4 KiB, with stream 0. In place of each a side may
// send an error of CodeRefused, whose message says what to do, and close.
//
// A proof is empty if the cluster has no key; else it is HMAC-SHA256 under the
// key of u8 side ('D' or 'A') | u32 length | the dialer's hello | u32 length |
// the acceptor's hello, as they were sent. The acceptor looks at what the hello
// says only after its proof, and asks nothing of who has none.
//
// A hello is a list of fields like a prologue's, without an end, each once:
//
//	1   id   cluster; zeros for who is in none yet
//	2   ..   name of the cluster, at most 256 bytes
//	3   u16  generation of the cluster
//	4   id   host; zeros for a client
//	5   id   disk, made with the data directory
//	6   u64  instance, random for each start of a process
//	7   u64  boot count of the host
//	8   i64  durable mark of the host's hybrid clock, a time
//	9   u16  lowest | u16 highest format level that it can do
//	10  u8   purpose: 1 peer 2 join 3 client 4 gossip 5 stream
//	11  u8   lane: 0 urgent 1 small 2 bulk
//	12  u32  features: 1 takes compressed bodies
//	13  i64  wall clock, a time
//	14  u64  metadata epoch
//	15  32   random
//
// The purpose limits the operations, see Purpose.Allows. After the hello for a
// stream the connection carries no frames but what its users agree on.
//
// Refused are: a purpose that is not known; levels that do not overlap; and but
// for clients another cluster's name or id (zeros pass with purpose 2), another
// generation, the acceptor's own host id, a host id of which another instance is connected, and
// a disk that the cluster knows to have lost its memory.
//
// # Operations
//
//	1    OpHello       see above
//	2    OpHelloReply
//	3    OpProof
//	4    OpPing        empty; empty
//	5    OpApply       Apply; empty
//	6    OpForward     Apply with Forward; empty, then OpApplied for each host
//	7    OpHint        Apply; HintReply
//	8    OpRead        Read; ReadReply
//	9    OpGossip      one-way: a packet of memberlist
//	10   OpRaft        one-way: a message of etcd's raft
//	11   OpPull        Pull; entries of the metadata log, see package metadata
//	12   OpPropose     a proposal; see package metadata
//	13   OpBatchStore  BatchStore; empty
//	14   OpBatchDone   one-way: BatchDone
//	15   OpInfo        Info; Info
//	16   OpApplied     one-way: Applied
//	256  OpPrepare     Prepare; Prepared
//	257  OpExecute     Execute; answer*
//	258  OpBatch       Batch; answer*
//	259  OpQuery       Query; answer*
//	260  OpTopology    empty; Topology
//
// # Bodies
//
//	Error       u16 code | u64 epoch | i64 timestamp | message bytes | detail bytes
//	Apply       u8 flags: 1 atomic 2 hinted 4 forward | [i64 made at] | [id* | u64 name] | record*
//	            a record is bytes, as package mutation draws it
//	Applied     u64 name | id | u16 code, 0 for applied | u64 epoch | i64 timestamp
//	HintReply   u64 bytes a second, 0 for as many as there are
//	BatchStore  id | i64 made at | record*
//	BatchDone   id
//	Pull        u64 index | 32 bytes, the chained hash of the entry there
//	Info        disk id | u64 boot count | i64 clock mark | i64 wall clock | u64 epoch
//	Read        u8 version of the digest
//	            u8 flags: 1 digest 2 reverse 4 static 8 distinct 16 columns 32 keys 64 slices
//	            table id | u64 schema epoch | seconds now | u32 limit | u32 limit per partition
//	            varint bytes | [varint column*] | [key*], else bound | bound
//	            [slice*] | filter* | position
//	ReadReply   u8 flags: 1 digest 2 more | [16 digest] | [position] | rows
//
//	key         i64 token | key bytes
//	bound       u8 0, or u8 flags: 1 set 2 after 4 key | i64 token | [key bytes]
//	slice       lo bytes | hi bytes
//	filter      varint column | u8 operator | key bytes | value bytes
//	position    u8 place: 0 start 1 head 2 boundary 3 row 4 end of the partition; unless 0:
//	            i64 token | key bytes | [clustering bytes, at 2 and 3] | deletion or u8 0
//	deletion    u8 1 | i64 timestamp | seconds
//
// # Bodies of clients' operations
//
// A client finds in the prologue of every answer the metadata epoch of the node.
// When it is newer than that of its topology, it asks for the topology again. Any
// node takes any statement; one that holds the partition answers soonest.
//
//	Prepare     keyspace bytes, of names without one | text bytes
//	Prepared    statement | u8 flags: 1 changes nothing
//	            (u16 marker)*: what makes the partition key, in its order
//	            columns, of the markers | columns, of the rows
//	Execute     statement* | executions up to the end
//	Batch       u8 kind: 0 logged 1 unlogged 2 counter | options | statement*
//	            entries up to the end
//	Query       keyspace bytes | text bytes, without markers | options
//	Topology    u64 epoch | host* | keyspace*
//	answer      varint execution, from 0 | u8 kind: 0 done 1 rows 2 error | bytes of
//	            nothing, rows or an Error, after the other without a count
//
//	statement   id: MD5 of the keyspace and the text | id of the rows' columns, as known
//	execution   varint statement of those before | options | value*
//	entry       varint statement of those before | value*
//	options     u8 consistency | u8 flags: 1 page 2 state 4 timestamp 8 serial
//	            [u32 rows] | [paging state bytes] | [i64 time] | [u8 consistency]
//	value       i32 length, big-endian as in CQL, or -1 for null, -2 for unset | as many bytes
//	rows        u8 flags: 1 paging state 2 columns 4 warnings | varint rows
//	            [state bytes] | [id of the columns | columns] | [(text bytes)*]
//	            the values of one row after the other, up to the end
//	columns     type* | column*
//	type        keyspace bytes | name bytes | (field bytes | type text bytes)*
//	column      keyspace bytes | table bytes | name bytes | type text bytes
//	host        id | address bytes | address of CQL bytes | data centre bytes | rack bytes
//	            u8 flags: 1 alive | (i64 token)*
//	keyspace    name bytes | range*
//	range       i64 end, ascending | (varint host of those before)*
//
// Consistency levels have CQL's numbers, values CQL's encoding, and the text of
// a type is CQL's, such as "map<text, frozen<address>>"; user-defined types come
// before columns and types that name them. The range up to the first end begins
// behind the last one. The token of a partition key is that of its value; of
// several, of each one's u16 length, big-endian | value | u8 0.
//
// Many executions share a frame and know nothing of each other. Each has one
// answer, in any frame of answers and in any order; an error in place of answers
// is of all that have none yet. Columns come with rows if the id that the asker
// sent is not theirs. After CodeUnprepared the statement has to be prepared on
// that node; a node may forget it, and it does when its markers change.
//
// The Detail of an Error about a statement is:
//
//	Failure     u32 CQL's code | u8 consistency | i32 needed | i32 received
//	            u8 1 if data was received | write type bytes | keyspace bytes | name bytes
//
// CodeOverloaded and CodeUnavailable say that nothing was done. After CodeTimeout
// and CodeFailed a write may have been.
//
// # Rows
//
// A stream of rows between nodes is a mutation.Source, as pieces up to the end of the body:
//
//	partition   u8 1 | i64 token | key bytes
//	            u8 flags: 1 deletion 2 static 4 continued 8 open
//	            [i64 timestamp | seconds] | [static row bytes] | [i64 timestamp | seconds]
//	row         u8 2 | clustering bytes | row bytes
//	boundary    u8 3 | clustering bytes | u8 flags: 1 before 2 after
//	            [i64 timestamp | seconds] | [i64 timestamp | seconds]
//	end         u8 4, of a partition
//	limited     u8 5, end of a partition with as many live rows as were asked for at most
//
// Rows run in the direction of the read. "Open" is the range deletion in force
// before the first item. If the reply says more, the stream was cut at the
// position told with it, behind an item or a partition; a read with that
// position to resume at gets the rest. In the middle of a partition it begins
// with its head again, flagged as continued.
//
// # What is held
//
// Decoders never panic, read only what they are given, and allocate no more
// than a small multiple of it; whatever they refuse is ErrCorrupt or
// ErrUnknownFeature. Byte strings alias the input unless a type says that it
// copies. Types are reused and are not safe for concurrent use. The package does
// no I/O, starts no goroutine and reads no clock.
package wire
