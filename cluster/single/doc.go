// Package single fills the plug of package cluster without a network: one
// node, whose store takes every write and answers every read. It is the
// database inside another program; a served node is part of a ring, be it of
// one, and has cluster/coordinator instead.
//
//	c, err := single.New(single.Config{Replica: store, Log: log, Stamper: clock, Node: node})
//	err = c.TryWrite(&cluster.Write{...})
//
// Consistency levels are accepted and mean the one replica: every level that
// a single live replica satisfies is satisfied. Those that ask for more (TWO,
// THREE) are answered unavailable, as a keyspace with one replica would be.
//
// # A change of the schema
//
// Changes happen one at a time. The log makes a change durable; then the store
// follows, so that no request can name a table that the store does not know;
// a TRUNCATE empties the table; only then does Schema show the new snapshot and
// are subscribers called. If the store cannot follow, the change is durable but
// not in force: the caller gets an error, and the next change, or a start,
// brings the store up to date first.
//
// # Concurrency
//
// A Cluster is safe for concurrent use. It starts no goroutine. Writes and
// reads take no lock.
//
// # What it does not do
//
// It neither hints nor repairs, and time-outs of a write that the store has
// accepted are the store's: the outcome is told when it is known.
package single
