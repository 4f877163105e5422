// Package coordinator fills the plug of package cluster with a ring: any node
// takes any request, plans it on the topology in force, sends it to the
// replicas and answers when as many of them have acknowledged as the
// consistency level asks for. The same package is the other end: Serve answers
// what the coordinators of other nodes send.
//
//	c, err := coordinator.New(coordinator.Config{...})
//	endpoint handlers: wire.OpApply, OpForward, OpHint, OpBatchStore, OpBatchDone: c.Serve
//	metadata subscription: c.Follow(state)
//	failure detector: c.SetAlive(host, true)
//	err = c.TryWrite(&cluster.Write{...})
//
// # A write
//
//	TryWrite   level, table, owners by (table, token); too few alive: Unavailable
//	start      one encoding: the bytes of the body are what the local store,
//	           the peers and the hints get
//	answers    counted in the write's record until the level is met or cannot be
//	           met any more, or the deadline passes
//	hints      for replicas that were dead, failed or did not answer, this
//	           node's store among them
//
// A write whose only replica is this node goes straight to the store: nothing
// is copied and nothing counted.
//
// The record is pooled and the only state machine there is: no goroutine waits
// for a replica. It goes back to the pool when every replica has answered, so
// that an answer always finds the write it belongs to; writes that are sent
// again are another record, and what comes for the first one is not counted.
// Deadlines are kept by one timer that looks at the records in flight.
//
// Each remote data centre with several replicas gets the write once: one of them
// sends it on to the others and tells what becomes of it there. If that one
// fails, the others are asked directly.
//
// # Fencing
//
// Every request tells the epoch it was planned in. A replica refuses it as
// stale only if the table's schema or the owners of the token's range changed
// after that epoch, or if it does not own the token; a replica that is itself
// behind hears the entries first. A coordinator that is told so catches up,
// plans again and sends again; the client does not notice.
//
// TRUNCATE is a change of the table's schema like others: while a store drops
// the table's data, writes to it wait; those planned before are stale after
// it, those planned after it find the table empty.
//
// # Order
//
// A server-stamped write of one partition that meets a newer server stamp on a
// replica is applied there, and told: if it has not been acknowledged yet, it is
// stamped again and sent again before it is. See package hlc.
//
// # Batches
//
// A batch over several partitions is a write for each partition, acknowledged
// when all are. A logged one is first kept by the batchlogs of two other nodes
// of this data centre, in other racks where there are, until every replica has
// its part or a durable hint for it. Where no two are alive one keeps it, and
// where none is this node does.
//
// # Late hints and batches
//
// A hint, or a part of a batch that is written again, of a table that was dropped
// or truncated since is left out. So is one whose only replica has purged a
// tombstone since, which may have deleted it: the replica judges that by the
// second in which hint or batch was made. It refuses the hint, whose sender then
// keeps record of it.
//
// # Schema
//
// Propose puts a change into the replicated log and returns when all live nodes
// have it in force, or after ten seconds with a *cluster.DisagreementError.
//
// # Concurrency
//
// A Cluster is safe for concurrent use. Writes take no lock but their record's
// own, held for the count alone. What would wait runs on a bounded number of
// workers; what waits for an epoch is parked, not run.
//
// # What it does not do
//
// Reads over replicas are package replicaread's, what becomes of hints and
// logged batches that of their packages. Ranges do not move yet.
package coordinator
