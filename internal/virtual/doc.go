// Package virtual holds the system tables: definitions that equal those of
// Cassandra 5.0 and rows that the node computes when they are asked for.
//
// # Use
//
//	reg := virtual.New(virtual.Sources{Schema: .., Topology: .., Local: ..})
//	full := reg.Snapshot(user)            // what statements are planned against
//	rows, err := reg.Rows(ctx, table)     // an exec.RowSource for Reader.PageVirtual
//
// Everything a row is made of comes from the functions in Sources; one that is
// nil leaves its tables empty. A table with nothing to say exists all the same:
// drivers select from many of them by name and give up if one is missing.
//
// # Keyspaces
//
//	system                 the node, its peers, estimates, histories
//	system_schema          the schema, with these five keyspaces in it
//	system_auth            roles and permissions
//	system_distributed     repairs and views
//	system_traces          traced requests
//	system_views           state of the node, virtual in Cassandra too
//	system_virtual_schema  the schema of the two virtual keyspaces
//
// Every table has schema.Table.Virtual set, which makes the planner take rows
// from here. Only those of the last two keyspaces are shown as virtual: for
// DESCRIBE, use Described.
//
// # Invariants
//
// Table ids are those of Cassandra, the MD5 of keyspace and name, and column
// ids count from 1 in the order of schema.Table.Columns, so that both are equal
// on all nodes. Partitions come by token, in the two virtual keyspaces by key;
// rows in clustering order. A node is never its own peer, and a peer of which
// a value is missing that drivers rely on is left out until it is known.
//
// # Concurrency
//
// A Registry is safe for concurrent use if the functions in Sources are. It
// starts no goroutine. A row source belongs to one goroutine. Rows are a
// picture of the moment at which the source was opened, as far as the functions
// give one.
//
// The package stores nothing and takes no writes: the planner refuses them.
package virtual
