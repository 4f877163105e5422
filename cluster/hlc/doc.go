// Package hlc is the hybrid logical clock of a node: it stamps what clients do
// not stamp, and keeps the order of writes that one node acknowledged before
// another took the next, whatever their wall clocks show.
//
// A stamp is an int64 of real microseconds since 1970. It never repeats on a
// node and never goes back; where the wall clock has not moved, or has gone
// back, the logical part is one microsecond more than the last stamp.
//
//	clock := hlc.New(clock.Real, mark)
//	ts := clock.Now()           // above every stamp given or followed before
//	ok := clock.Follow(theirs)  // later stamps are above theirs
//
// # Order between nodes
//
// A replica keeps the newest server stamp it has met, by token, in Newest. A
// server-stamped write that is not above it was stamped by a node whose clock
// is behind: the replica says so, and the coordinator follows the newer stamp
// and stamps the write again before it acknowledges it. Quorums intersect, so
// one replica of every quorum knows. Tokens share stripes: a write may be
// stamped again without need, and never the other way round.
//
// # Restarts
//
// A run starts above the stamps of the records in its log and above the mark
// that its directory keeps, which is saved from time to time and before records
// leave the log: no stamp of what a replica still has is forgotten. A node that
// is killed may forget the newest that it gave to records of others alone; those
// replicas tell it as above, but for batches.
//
// # Limits
//
// A stamp that is more than MaxLead ahead of the wall clock is not followed: one
// node whose clock is broken would take all others with it. Stats shows how
// often that happened and by how much.
//
// Stamps given by clients are never followed: applications use versions as
// timestamps.
//
// # Concurrency
//
// Everything is safe for concurrent use, takes no lock and allocates nothing.
package hlc
