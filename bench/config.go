package bench

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"
)

// Workloads are the names that Config.Workload takes.
var Workloads = []string{
	"write", "read", "mixed", "scan", "timeseries", "verify",
	"ycsb-load", "ycsb-a", "ycsb-b", "ycsb-c", "ycsb-d", "ycsb-e", "ycsb-f",
}

// identifier is a name that CQL takes without quotes.
var identifier = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// Distributions are the names that Data.Distribution takes.
var Distributions = []string{"uniform", "zipf", "latest"}

// Config is one run. Zero values stand for the defaults in the comments.
type Config struct {
	Workload   string // one of Workloads
	Target     Target
	Data       Data
	Workers    int           // operations in flight, 64
	Operations int64         // how many, 1,000,000; verify and ycsb-load: Data.Rows
	Duration   time.Duration // instead of Operations
	Warmup     time.Duration // of operations before those that count; not for verify and ycsb-load
	Rate       float64       // operations a second, 0 for a closed loop
	Progress   io.Writer     // a line a second; nil for none
}

// Target is where requests go and what they ask for.
type Target struct {
	Protocol         string   // one of Protocols, cql
	Hosts            []string // some nodes as "host:port" or "host", 127.0.0.1; others of the cluster are found; the port is the protocol's, 9042 or 7000
	ClusterKeyFile   string   // the cluster's key, if it has one; for the protocol wire
	LocalDC          string   // requests go to this data centre if they can; any
	Connections      int      // per node, 2
	Keyspace         string   // ilion_bench
	Replication      string   // of the keyspace, "3" or "dc1:3,dc2:2"; of one that is made 1, of one that is there whatever it has
	Consistency      string   // of reads and writes, ONE
	ReadConsistency  string   // of reads, Consistency
	WriteConsistency string   // of writes, Consistency
	PIDs             []int    // server processes on this machine to measure; those that listen at the nodes' addresses
}

// Data is what the table holds and how rows are chosen. The rows of ycsb have
// defaults of their own, in brackets.
type Data struct {
	Rows          int64  // how many rows the table holds, 1,000,000
	PartitionRows int64  // rows in a partition of scan and timeseries, 1,000
	Columns       int    // values in a row, 5 [10]
	ValueSize     int    // bytes of a value, or the most of them, 40 [100]
	ValueSizeMin  int    // the fewest, if sizes differ: uniform from it to ValueSize
	Distribution  string // of keys, one of Distributions, uniform [as the mix has it]
	Seed          uint64 // of keys and values, 1
}

const defaultWorkers = 64

func (c *Config) setDefaults() {
	d, t := &c.Data, &c.Target
	columns, size, distribution := 5, 40, "uniform"
	if m, ok := mixes[c.Workload]; ok {
		columns, size, distribution = ycsbColumns, ycsbValueSize, m.distribution
	}
	t.Protocol = cmp.Or(t.Protocol, "cql")
	if len(t.Hosts) == 0 {
		t.Hosts = []string{"127.0.0.1"}
	}
	t.Connections = cmp.Or(t.Connections, 2)
	t.Keyspace = cmp.Or(t.Keyspace, "ilion_bench")
	d.Rows = cmp.Or(d.Rows, 1_000_000)
	d.PartitionRows = cmp.Or(d.PartitionRows, 1000)
	d.Columns = cmp.Or(d.Columns, columns)
	d.ValueSize = cmp.Or(d.ValueSize, size)
	d.ValueSizeMin = cmp.Or(d.ValueSizeMin, d.ValueSize)
	d.Distribution = cmp.Or(d.Distribution, distribution)
	d.Seed = cmp.Or(d.Seed, 1)
	c.Workers = cmp.Or(c.Workers, defaultWorkers)
	if c.Workload == "verify" || c.Workload == "ycsb-load" {
		c.Operations, c.Duration, c.Warmup = d.Rows, 0, 0
	}
	c.Operations = cmp.Or(c.Operations, 1_000_000)
}

// Validate tells the first value that cannot work.
func (c *Config) Validate() error {
	if !slices.Contains(Workloads, c.Workload) {
		return fmt.Errorf("bench: workload %q is none of %v", c.Workload, Workloads)
	}
	full := *c
	full.setDefaults()
	switch {
	case c.Workers < 0 || c.Workers > maxWorkers:
		return fmt.Errorf("bench: %d workers, must be 1 to %d", c.Workers, maxWorkers)
	case c.Duration < 0 || c.Warmup < 0:
		return fmt.Errorf("bench: negative duration or warm-up")
	case c.Rate < 0 || c.Operations < 0:
		return fmt.Errorf("bench: negative rate or number of operations")
	}
	if err := full.Data.validate(); err != nil {
		return err
	}
	if err := full.Target.validate(); err != nil {
		return err
	}
	l, err := full.Target.levels()
	if err != nil {
		return err
	}
	p := planOf(&full)
	return l.check(p.requests())
}

// validate wants defaults to be set.
func (d *Data) validate() error {
	switch {
	case !slices.Contains(Distributions, d.Distribution):
		return fmt.Errorf("bench: distribution %q is none of %v", d.Distribution, Distributions)
	case d.Columns < 1 || d.Columns > 1000:
		return fmt.Errorf("bench: %d columns, must be 1 to 1000", d.Columns)
	case d.ValueSize < 1 || d.ValueSize > 16<<20:
		return fmt.Errorf("bench: value size %d, must be 1 to 16 MiB", d.ValueSize)
	case d.ValueSizeMin < 1 || d.ValueSizeMin > d.ValueSize:
		return fmt.Errorf("bench: smallest value size %d, must be 1 to the largest, %d", d.ValueSizeMin, d.ValueSize)
	case d.Rows < 1 || d.PartitionRows < 1:
		return fmt.Errorf("bench: negative number of rows")
	}
	return nil
}

// validate wants defaults to be set.
func (t *Target) validate() error {
	switch {
	case !slices.Contains(Protocols, t.Protocol):
		return fmt.Errorf("bench: protocol %q is none of %v", t.Protocol, Protocols)
	case t.ClusterKeyFile != "" && t.Protocol != "wire":
		return fmt.Errorf("bench: a cluster's key is for the protocol wire only, not for %s", t.Protocol)
	case t.Connections < 1 || t.Connections > 1024:
		return fmt.Errorf("bench: %d connections per node, must be 1 to 1024", t.Connections)
	case !identifier.MatchString(t.Keyspace):
		return fmt.Errorf("bench: keyspace %q, must be lower case letters, digits and underscores", t.Keyspace)
	}
	for _, h := range t.Hosts {
		if _, _, err := splitHost(h, defaultCQLPort); err != nil {
			return err
		}
	}
	if t.Replication != "" {
		if _, err := parseReplication(t.Replication); err != nil {
			return err
		}
	}
	return nil
}
