// Package clustertest holds the tests that every cluster.Replica and every
// cluster.Cluster must pass, whatever is behind them, and the simplest
// implementations there can be: a Store in memory and a Log in memory. Code
// above the plug is tested with those, an engine and a ring with the tests.
//
//	func TestConformance(t *testing.T) {
//		clustertest.Replica(t, func(t *testing.T) cluster.Replica { ... })
//		clustertest.Cluster(t, func(t *testing.T) cluster.Cluster { ... })
//	}
//
// The Store keeps each partition in a mutationtest.Model, which shares no code
// with the reconciliation that it stands in for. It is slow.
package clustertest
