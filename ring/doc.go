// Package ring knows where data belongs: the token of a partition key, which
// nodes hold it, and how many of them must answer.
//
// A Ring is an immutable picture of the members and their tokens. Each token
// owns the range that ends at it, the one before it excluded; the smallest
// token also owns what is above the largest.
//
// Tokens of keys, and replicas in their order, are those of Cassandra 5.0.8: the
// tests compare with what its own classes gave, see testdata. Tokens of nodes
// are chosen another way, see Allocate; how evenly both spread data stands in
// bench/results/2026-11-22-allocator.
//
// The package is pure: no I/O, no goroutine, no clock. Rings and tokens are
// safe for concurrent use.
package ring
