// Package replicaread reads over replicas: for a coordinator, and for the
// replicas that serve one.
//
// # A read
//
// What a command names is cut into sections that some replicas hold together:
// keys, or pieces of the ring. A round asks for a page of a section. Of keys it
// wants the rows from the nearest replica and digests from as many others as
// the level needs; if they differ it wants rows from all. Of ranges it wants
// rows from all at once. Pages that differ are merged up to where the shortest
// of them was cut, replicas are brought what they lack of it and have
// acknowledged that before the page is given out. What follows the cut is the
// next page, so an answer that was cut short by deletions of another replica is
// gone on with like any other.
//
//	StartRead   one partition; nobody waits, a completer is told
//	Read        anything; the caller waits for pages as it comes to them
//	TryRead     the local replica alone, from memory, where that is enough
//	Serve       the other side: a page or a digest of the local replica
//
// # Which replicas
//
// The local one first, then its rack, its data centre, others; among equals the
// one with the least latency times requests under way. A replica that fails, is
// late (see speculative_retry), has damaged data or does not take what it lacks is
// replaced by another one; it never counts as having no rows. A replica that
// refuses because owners or schema have changed makes the coordinator catch up and
// plan again, unseen.
//
// # Concurrency
//
// A Reader is safe for concurrent use. A round is a counted record with a lock
// of its own that is never held over I/O; no goroutine waits for a replica but
// the reader of a source. Reads from disk run on a bounded pool of workers with
// a bounded queue.
//
// # What it does not do
//
// It does not know the ring beyond a cluster.Topology, chooses no timestamps,
// and does not purge.
package replicaread
