// Package gossip tells which members of the ring are alive. Liveness alone:
// who is a member, with which tokens and schema, is said by the replicated log
// of cluster/metadata.
//
//	g, err := gossip.Start(gossip.Options{Host: id, Boot: boot, ClusterID: cluster, Address: "10.0.0.1:7000", Network: endpoint, Notify: heard, ...})
//	n, err := g.Join([]string{"10.0.0.2:7000"})
//	g.SetEpoch(state.Epoch)
//	defer g.Close()
//
// The protocol is SWIM with the additions of Lifeguard, by
// hashicorp/memberlist: each node pings one other a second, asks three more to
// try if no answer comes, suspects, and if nobody refutes declares it dead; all
// of this spreads with the pings. Two random nodes exchange everything they
// know every 30 s, less often in a large ring. The package hands memberlist the
// one internode port of the node: packets and streams come in through Packet and
// Stream and go out through Network.
//
// # Names
//
// A member's name is its host id in hex, "-", and its boot count in decimal. So
// a restarted process is somebody new to memberlist and needs not refute what
// was said about the old one; here it takes the older one's place at once, and
// what is said of an older boot count is not listened to. All packets and
// streams carry the cluster id as memberlist's label, and those of other
// clusters are dropped. With Keys they are sealed by AES-256-GCM, each key being
// the SHA-256 of "ilion gossip 1" and the cluster's.
//
// # Meta
//
// What a member says about itself, all integers little-endian:
//
//	+-----------+--------------+---------+--------+----
//	| version u8| boot     u64 |epoch u64|load u64| ...
//	+-----------+--------------+---------+--------+----
//	0           1              9         17       25
//
//	version  1; another one is refused
//	boot     boot count, the one in the name
//	epoch    newest entry of the metadata log that it has applied
//	load     bytes of data on its disks
//
// Bytes that follow belong to a newer release and are passed over.
//
// # Events
//
// Notify is called by one goroutine. Of one member it hears Up, then Changed any
// number of times, then Down, and so on; a restart is Down and Up. What happens
// while it is busy is told as one step from what it last heard to what is, so a
// slow listener holds nothing back and what waits for it is at most one record a
// member. Who is first told by Found is up for Notify, too.
//
// # Bounds
//
// 4,096 members, 512 packets of 8 KiB waiting, 8 streams at a time of which
// 16 MiB are read, each of at most 8,192 members, the dead too. Without keys, a
// packet or stream that is not of the kinds that a node sends is dropped before
// memberlist sees it: compressed ones above all, which could grow a thousand
// times. A node tells a new epoch or load at most once a second, and in a large
// ring every 10 ms for each member, so that a storm of schema changes does not
// become one of packets.
//
// # Concurrency
//
// A Gossip is safe for concurrent use. Its mutex is taken below memberlist's own
// and never held while memberlist or Notify is called. After Close nobody hears
// from it any more; of a ping under way a timer is left for some seconds.
//
// # What it does not do
//
// It does not say that a request will succeed: a connection that fails says so
// sooner, see wire/rpc. It does not tell suspicion. It does not keep who was alive over a restart.
package gossip
