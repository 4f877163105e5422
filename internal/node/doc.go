// Package node puts a whole server together: it is the only package that knows
// the engine, the plug and the protocol at once. New opens everything in order
// and Close ends it in reverse; a Node has no globals, so that several run in
// one process.
//
// Order of start: settings, listeners (a port in use changes nothing on disk),
// lock of the data directory, identity, metadata log, connections to other
// nodes, their consent, engine (replay), hints and batchlog, plug, system tables,
// statements, CQL, HTTP, gossip. What fails says so in one line and leaves what
// was there. Close goes the other way; others are told first.
//
// # Part of a ring
//
// A served node is always part of a ring, be it of one: network is its part.
// An embedded node has none, and its plug is cluster/single.
//
//	enter      with --join: asks a member for the cluster's id and state, and
//	           proposes itself; without: founds a cluster in an empty directory
//	greet      each start asks the other members whether it may: one that
//	           remembers more of this disk than is on it refuses it
//	serveRing  follows the metadata log, tells that it is alive, delivers hints
//
// An entry of the log reaches connections (addresses), then the plug, which
// makes the store follow, then clients as events. Who is alive is said by gossip,
// and told to the plug and to clients, who hear of a new node when it is alive
// for the first time: it serves them before it says so.
//
// # Goroutines
//
// One for the identity, which also tells others the clock mark; one that ends
// the node with its store; one for each listener; four for questions about the
// cluster, whose queue is bounded; one that registers this node's addresses,
// until they are known, and one that raises the format level; at the start at
// most eight that ask others who is alive; and those of the packages below.
package node
