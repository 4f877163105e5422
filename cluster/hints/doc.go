// Package hints keeps writes for replicas that could not be reached, and
// delivers them when they can: hinted handoff.
//
// # Use
//
//	s, err := hints.Open(options)
//	err = s.Add(host, created, record, done) // done(nil): durable
//	s.Deliver(sender)                        // once the node can send
//	s.Wake(host)                             // it is up again
//	drops := s.Dropped()                     // what was not delivered, for repair
//	err = s.Close()
//
// A hint is (target's host id, creation time, record); the record's bytes are
// those that the mutation has everywhere else. The target may be the node
// itself, whose store did not take a write. Hints of one target are
// delivered in the order in which they were added, several in flight, no faster
// than the receiver's last answer said. A hint leaves the store when the
// target has applied it; one that was applied may be sent again after a crash,
// which changes nothing.
//
// # What is not delivered
//
// A hint older than Options.MaxAge, one over Options.MaxBytes, one that the
// disk did not take, one that the target refuses for good (its table is gone, or
// a tombstone that may have deleted it has been purged), and what rot has made
// unreadable: each leaves a Drop of table, token range, target and span of
// creation times, durable before the hint is let go of or its Add is answered.
// Drops of one table and target are united; ranges are rounded to 1/256 of the
// ring and times to a minute, so that an overload costs no write each.
//
// # Files
//
// DIR/STREAM-NUMBER.seg are the segments of package journal, a stream for each
// target under its host id, magic "ILIONHNT". An entry is
//
//	0   8   creation time in microseconds, little-endian
//	8       record
//
// DIR/state holds two copies of one image of at most 128 KiB, at 0 and at
// 131072, written in place one after the other, so that neither a crash nor a
// full disk keeps it from being written and rot of one copy loses nothing.
// Integers are little-endian:
//
//	 0   8   "ILIONHST"
//	 8   4   CRC32C of bytes 12 to length-1
//	12   4   length
//	16   8   number of the image, the higher is the newer
//	24   2   version, 1
//	26   2   zero
//	28   4   number of positions
//	32   4   number of drops
//	36       positions, 36 bytes each: 16 target, 8 segment, 8 offset, 4 index:
//	         everything below has been delivered or dropped
//	         drops, 76 bytes each: 16 target, 16 table, 8 token above which and
//	         8 token up to which, 8 and 8 first and last creation time,
//	         4 reasons (bits: 1 expired, 2 full, 4 disk, 8 refused, 16 rot),
//	         8 how many hints, as far as known
//
// A zero target or table is any.
//
// # Invariants
//
//   - A hint that was acknowledged is delivered, or in a Drop that is durable.
//   - A position is durable before a segment below it is removed, and in the
//     same image as the drops that let it advance.
//   - A failed sync is never acknowledged and never tried again on that file.
//
// # Concurrency
//
// All methods are safe for concurrent use. Goroutines: the journal's flusher,
// one that keeps the state, and one for each target that ever had a hint since
// the start. No lock is held over I/O.
//
// # What it does not do
//
// It does not decide who needs a hint, does not know who is up but by what the
// Sender answers, and does not repair.
package hints
