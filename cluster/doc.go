// Package cluster is the plug between sessions and data: a session sees a
// Cluster and never a ring, the cluster layer sees a Replica and never an
// engine. cluster/single fills it for one node without a network, and
// cluster/coordinator with cluster/replicaread for a ring; both pass clustertest.
//
// Every write ends in a Completion, a counted record that the caller pools:
// whoever acknowledges (the local commit log's flusher, a peer's connection)
// calls Done and the last one needed completes it. That is the only state
// machine a write has, so no goroutine waits per replica.
package cluster
