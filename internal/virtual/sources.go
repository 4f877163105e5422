package virtual

import (
	"net/netip"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Values that clients see and choose their behaviour by.
const (
	ReleaseVersion        = "5.0.8"
	CQLVersion            = "3.4.7"
	NativeProtocolVersion = "5"
	Partitioner           = "org.apache.cassandra.dht.Murmur3Partitioner"
)

// Sources are what rows are made of. Schema must be set; of the others nil
// means that there is nothing to show. The functions are called when a table
// is read, from many goroutines at once, and must not wait for other nodes.
// What they return is not changed and may be shared.
type Sources struct {
	// Schema is the schema of the users, without the keyspaces of this package.
	Schema   func() *schema.Snapshot
	Topology func() *cluster.Topology
	Local    Local

	Gossip            func() []Gossip
	PendingHints      func() []PendingHints
	Clients           func() []Client
	Settings          func() [][2]string // name and value
	Properties        func() [][2]string // name and value
	DiskUsage         func() []DiskUsage
	SSTableTasks      func() []SSTableTask
	Caches            func() []Cache
	ThreadPools       func() []ThreadPool
	SizeEstimates     func() []SizeEstimate
	Prepared          func() []Prepared
	CompactionHistory func() []Compaction
	TraceSessions     func() []TraceSession
	TraceEvents       func() []TraceEvent

	// More has rows for tables that have no field above, or more of them for
	// those that have, by "keyspace.table".
	More map[string]func() []Row
}

// Row is a row by names of columns; one that is missing is null. Values are
// the bytes that the native protocol carries.
type Row map[string][]byte

// Local says who the node is. Empty fields are taken from the local node of
// the topology if it has them, else they get Cassandra's defaults.
type Local struct {
	ClusterName string // "Test Cluster"
	HostID      schema.UUID
	DC, Rack    string // "datacenter1", "rack1"
	// Listen is what other nodes connect to and Broadcast what they are told;
	// RPC is what clients are told. Broadcast is Listen by default.
	Listen, Broadcast, RPC netip.AddrPort
	Tokens                 []ring.Token
	Generation             int32 // seconds since 1970 at which the node started
	ReleaseVersion         string
	// Version and Build are the node's own, for system_views.ilion.
	Version, Build string
}

// Gossip is what this node has heard of a member, itself included.
type Gossip struct {
	Address    netip.AddrPort // its storage address
	Native     netip.AddrPort
	HostID     schema.UUID
	Generation int32 // its starts
	Heartbeat  int32 // its incarnation: how often it had to say that it lives
	Alive      bool
	Status     string // "NORMAL"
	Load       int64  // bytes, negative if not known
	DC, Rack   string
	Schema     schema.UUID
}

// PendingHints are the writes that wait for a member to come back.
type PendingHints struct {
	Node     netip.AddrPort // its storage address
	HostID   schema.UUID
	DC, Rack string
	Alive    bool
	Files    int32
	Bytes    int64
	Oldest   int64 // milliseconds since 1970
}

// Client is a connection of a client.
type Client struct {
	Address         netip.AddrPort
	Hostname        string
	Username        string
	Stage           string // "ready" by default
	Keyspace        string
	DriverName      string
	DriverVersion   string
	Options         map[string]string // of STARTUP
	ProtocolVersion int32
	Requests        int64
	TLSProtocol     string // empty without TLS
	TLSCipherSuite  string
}

// DiskUsage is what a table takes on this node.
type DiskUsage struct {
	Keyspace, Table string
	Bytes           int64
	// LargestPartition and LargestSSTable are in bytes, 0 if not known.
	LargestPartition, LargestSSTable int64
}

// SSTableTask is a flush, compaction or the like under way.
type SSTableTask struct {
	Keyspace, Table string
	ID              schema.UUID
	Kind            string // "compaction"
	Unit            string // "bytes"
	Progress, Total int64
	SSTables        int32
	Directory       string
}

// Cache is one of the node's caches. Rates are per second.
type Cache struct {
	Name                             string
	CapacityBytes, SizeBytes         int64
	Entries                          int32
	Hits, Requests                   int64
	RecentHitRate, RecentRequestRate int64
}

// ThreadPool is a pool of workers or a queue.
type ThreadPool struct {
	Name                               string
	Active, Limit, Pending             int32
	Blocked, BlockedAllTime, Completed int64
}

// SizeEstimate is what a table has in a range of tokens.
type SizeEstimate struct {
	Keyspace, Table string
	Start, End      ring.Token // the range is (Start, End]
	MeanPartition   int64      // bytes
	Partitions      int64
}

// Prepared is a prepared statement.
type Prepared struct {
	ID              []byte
	Keyspace, Query string
}

// Compaction is a compaction that ended.
type Compaction struct {
	ID                schema.UUID
	Keyspace, Table   string
	At                int64 // milliseconds since 1970
	BytesIn, BytesOut int64
	RowsMerged        map[int32]int64 // rows by the number of files they were in
	Properties        map[string]string
}

// TraceSession is a traced request. Clients poll until Duration is not null.
type TraceSession struct {
	ID          schema.UUID
	Client      netip.Addr
	Coordinator netip.AddrPort
	Command     string // "QUERY"
	Request     string
	Parameters  map[string]string
	StartedAt   int64 // milliseconds since 1970
	Duration    int64 // microseconds, negative while the request runs
}

// TraceEvent is one step of a traced request.
type TraceEvent struct {
	Session, ID schema.UUID // ID is a timeuuid
	Activity    string
	Source      netip.AddrPort
	Elapsed     int64 // microseconds since the request began
	Thread      string
}
