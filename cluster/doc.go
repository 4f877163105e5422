// Package cluster is the plug between sessions and data: a session sees a
// Cluster and never a ring, the cluster layer sees a Replica and never an
// engine. cluster/single fills it for one node without a network, and
// cluster/coordinator with cluster/replicaread for a ring; both pass clustertest.
//
// Every write names a Completer, which is told the outcome exactly once by
// whoever learns it: the local commit log's flusher, or the connection of the
// peer whose answer was the last one needed. So no goroutine waits for a write,
// or for one of its replicas.
package cluster
