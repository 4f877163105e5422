// Package journal keeps streams of entries in segment files: appended in
// groups, durable before they are acknowledged, read back in order, and let go
// of segment by segment. It is what hints (a stream for each target) and the
// batchlog (one stream) have in common; what an entry means is their business.
//
// # Use
//
//	j, err := journal.Open(options, visitor)    // visitor is shown what is there
//	err = j.Append(stream, waiter, head, body)  // waiter.Appended(at, err) follows
//	c := j.Cursor(stream, from)
//	entry, at, err := c.Next()                  // io.EOF: nothing more for now
//	err = j.Release(stream, below)              // removes files wholly below
//	err = j.Close()
//
// # Format
//
// Integers are little-endian. A segment is one file, STREAM-NUMBER.seg, both in
// hexadecimal (32 and 16 digits). It is appended to by the process that made it
// and by no later one.
//
//	offset 0        512          1024
//	+--------------+------------+---------+---------+-- - -
//	| header       | same again | frame   | frame   |
//	+--------------+------------+---------+---------+-- - -
//
//	header: size  field
//	   0      8   magic of the owner
//	   8      4   CRC32C of bytes 12 to 511
//	  12      2   format version, 1
//	  14      2   zero
//	  16      8   required features: a reader that lacks one refuses
//	  24      8   optional features
//	  32      8   number of the segment, counts in its stream
//	  40      8   number that the first frame has
//	  48     16   stream
//	  64    448   zeros
//
// A frame begins at a multiple of 512 and is padded to one with zeros, so that
// no sector holds parts of two:
//
//	frame:  size  field
//	   0      4   "ILJ1"
//	   4      4   CRC32C of bytes 8 to length-1
//	   8      8   number of the segment
//	  16      8   frame number, counts in its stream
//	  24     16   stream
//	  40      4   length: this header and the entries
//	  44      4   number of entries, 0 for a frame that only vouches
//	  48          entries: uvarint length, bytes
//
// # Rot and torn tails
//
// A frame is written only after its predecessor is durable. So a frame that is
// damaged although a later one is there, in its file or by the first number
// that the next file names, is rot: it may have been acknowledged, and it is
// reported (Damage). Without a later one it is what a crash leaves of a write
// in flight, which nobody was answered, and is passed over. 100 ms after the
// last write an empty frame vouches for it; Close writes one, too. A file gets
// its name by rename when its header is durable, so an unreadable header is
// rot, too: both copies would have to be damaged.
//
// # Invariants
//
//   - An entry whose waiter was told nil is seen by every later Open and read
//     by every cursor until its segment is released, or is reported as damage.
//   - Entries of a stream keep the order in which they were appended.
//   - After a failed write or sync the file is never written again; the next
//     append begins a new one. What the failed write left may be found by the
//     next Open: nobody can tell.
//   - Memory: entries that wait for the flusher are bounded by
//     Options.PendingBytes, files by Options.MaxBytes.
//
// # Concurrency
//
// Append copies under a short lock. One flusher goroutine takes what the
// streams have gathered meanwhile and writes a frame for each, so that a sync
// carries all that arrived during the one before. No lock is held over I/O. A
// cursor belongs to one goroutine; everything else is safe for concurrent use.
//
// # What it does not do
//
// It does not lock the directory, does not notice that the oldest segments of
// a stream were removed by hand, and does not remember how far a cursor came.
package journal
