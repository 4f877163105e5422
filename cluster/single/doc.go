// Package single fills the plug of package cluster without a network: one
// node, whose store takes every write and answers every read. It is what
// `ilion serve` runs before a ring exists, and the database inside another
// program.
//
// Consistency levels are accepted and mean the one replica: every level that
// a single live replica satisfies is satisfied. Those that ask for more (TWO,
// THREE) are answered unavailable, as a keyspace with one replica would be.
package single
