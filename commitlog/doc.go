// Package commitlog makes records durable in groups and finds them again after
// a crash. It is the one log of a node, shared by all tables; what a record
// means is the business of its caller.
//
// # Use
//
//	log, report, err := commitlog.Open(options, func(pos commitlog.Position, rec []byte) error {
//		return apply(rec) // every record at or above options.Start
//	})
//	pos, err := log.TryAppend([][]byte{rec}, &request.Waiter) // request.Synced(err) follows
//	pos, err = log.AppendSync([][]byte{rec})                  // blocks until durable
//	log.Discard(lowWater)                                     // after the manifest says so
//	err = log.Close()
//
// Records of one append are found all or not at all. The engine keeps for each
// memtable the position of its first record. Once everything below a position
// is in tables and the manifest durably says so, Discard lets go of the
// segments below; the position is Options.Start at the next Open, and
// Options.LastSegment is the highest segment number in any position that the
// manifest holds.
//
// # Format
//
// Integers are little-endian. A segment is one file, NNNNNNNN.log, filled with
// written zeros once, used again and again, never truncated:
//
//	offset 0      4096       8192
//	+-------------+-------------+---------+---------+-- - - --+---------------+
//	| header page | same again  | frame   | frame   |         | zeros or dead |
//	+-------------+-------------+---------+---------+-- - - --+---------------+
//
//	header page: size  field
//	   0           8   "ILIONLOG"
//	   8           4   CRC32C of bytes 12 to 4095
//	  12           2   format version, 1
//	  14           2   lane
//	  16           8   required features: a reader that lacks one refuses
//	  24           8   optional features
//	  32           8   incarnation: random, new on every use of the file
//	  40           8   uses: counts them; of two good copies the higher is valid
//	  48           8   bytes of the file
//	  56        4040   zeros
//
// A frame begins at a multiple of 4096 and is padded to one with zeros:
//
//	frame:      size  field
//	   0           4   "ILF1"
//	   4           4   CRC32C of bytes 8 to length-1
//	   8           8   incarnation of the segment
//	  16           8   number of the segment, see Position
//	  24           8   frame number, counts in its lane from 1 for ever
//	  32           8   synced through: frames of this lane durable when this one was written
//	  40           4   length: this header and the records
//	  44           4   number of records, 0 for a frame that only carries the mark
//	  48           2   lane
//	  50           6   zeros
//	  56               records: uvarint length, bytes
//
// # Rot and torn tails
//
// A frame is written only after its predecessor in the lane is durable, and
// says so. So a frame that is missing or damaged although a later one vouches
// for it is rot: somebody may have been told that it was durable, and Open
// stops with a *CorruptError. Without a later frame it is what a crash leaves
// of a write in flight; nobody had an answer, and it is cut. 100 ms after the
// last write an empty frame vouches for it; Close writes one, too.
//
// Recovery does not stop at a hole: it looks at every page of every segment.
// Dead frames of an earlier use carry another incarnation. A file gets its
// name by rename when its size and header are durable, and is used again by
// writing the header copies one after the other, so an unreadable header or a
// short file is never the work of a crash and always an error.
//
// Options.SetAside names files to start without: what is intact in them is
// replayed all the same, and when the engine has discarded everything of that
// time the file is renamed to *.set-aside. Until then each start must name it.
//
// # Invariants
//
//   - An append answered with nil in modes Batch and Group is found by every
//     later Open until it is discarded.
//   - A segment's header is durable before its first frame.
//   - Segment numbers grow in order of first use, above Start and LastSegment;
//     frame numbers of a lane have no gap among live segments.
//   - After the first failed write or sync nothing is acknowledged any more and
//     nothing is tried again.
//   - Memory: two buffers of 1 MiB a lane, and a frame of at most 32 MiB while
//     one is larger.
//
// # Concurrency
//
// Appenders copy under a short lock into the open one of two buffers. One
// flusher a lane seals it as soon as the write before has returned; no timer is
// involved in mode Batch. A lone caller of AppendSync writes itself. One
// goroutine prepares, recycles and removes segments; each lane has one
// prepared segment in reserve, so that a full disk refuses appends with
// ErrNoSpace instead of failing the log, until there is space again.
//
// # Tests
//
// Fail points: commitlog/append, commitlog/write, commitlog/sync and
// commitlog/recycle. Deliberate bugs, which the crash suite must catch:
// ack-before-sync, reuse-incarnation and skip-header-sync (see fail.Mutant).
//
// # What it does not do
//
// It does not know tables: low-water marks are the engine's. It does not notice
// that the oldest segments were deleted by hand. It does not lock the
// directory. Damage to the last frame within 100 ms of a crash looks like a
// torn tail.
package commitlog
