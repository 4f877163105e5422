package bench

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"
)

// Workloads are the names that Config.Workload takes.
var Workloads = []string{"write", "read", "mixed", "scan", "timeseries", "verify"}

const defaultValueSize = 40

// Config is one run. Zero values stand for the defaults in the comments.
type Config struct {
	Workload     string        // one of Workloads
	Hosts        []string      // "127.0.0.1:9042"
	Keyspace     string        // "ilion_bench"
	Workers      int           // requests in flight, 64
	Connections  int           // per host, 2
	Operations   int64         // how many, 1,000,000; verify: Rows
	Duration     time.Duration // instead of Operations
	Warmup       time.Duration // of requests before those that count; not for verify
	Rate         float64       // operations a second, 0 for a closed loop
	Rows         int64         // how many rows the table holds, 1,000,000
	Distribution string        // of keys: uniform, zipf or latest; uniform
	ValueSize    int           // bytes of a value, or the most of them, 40
	ValueSizeMin int           // the fewest, if sizes differ: uniform from it to ValueSize
	Columns      int           // values in a row, 5
	RowsPer      int64         // rows in a partition of scan and timeseries, 1,000
	Consistency  string        // ONE
	Seed         uint64        // of keys and values, 1
	Progress     io.Writer     // a line a second; nil for none
	PID          int           // server process on this machine to measure; 0 finds it, if Hosts has loopback addresses only
}

func (c *Config) setDefaults() {
	def := func(p *int64, v int64) {
		if *p == 0 {
			*p = v
		}
	}
	if len(c.Hosts) == 0 {
		c.Hosts = []string{"127.0.0.1:9042"}
	}
	for _, s := range []struct {
		p *string
		v string
	}{{&c.Keyspace, "ilion_bench"}, {&c.Distribution, "uniform"}, {&c.Consistency, "ONE"}} {
		if *s.p == "" {
			*s.p = s.v
		}
	}
	for _, n := range []struct {
		p *int
		v int
	}{{&c.Workers, 64}, {&c.Connections, 2}, {&c.ValueSize, defaultValueSize}, {&c.Columns, 5}} {
		if *n.p == 0 {
			*n.p = n.v
		}
	}
	def(&c.Rows, 1_000_000)
	def(&c.RowsPer, 1000)
	if c.ValueSizeMin == 0 {
		c.ValueSizeMin = c.ValueSize
	}
	if c.Workload == "verify" {
		c.Operations, c.Duration, c.Warmup = c.Rows, 0, 0
	}
	def(&c.Operations, 1_000_000)
	if c.Seed == 0 {
		c.Seed = 1
	}
}

// Validate tells the first value that cannot work.
func (c *Config) Validate() error {
	switch {
	case !slices.Contains(Workloads, c.Workload):
		return fmt.Errorf("bench: workload %q is none of %v", c.Workload, Workloads)
	case !slices.Contains([]string{"", "uniform", "zipf", "latest"}, c.Distribution):
		return fmt.Errorf("bench: distribution %q is none of uniform, zipf, latest", c.Distribution)
	case c.Workers < 0 || c.Workers > 65536:
		return fmt.Errorf("bench: %d workers, must be 1 to 65536", c.Workers)
	case c.Columns < 0 || c.Columns > 1000:
		return fmt.Errorf("bench: %d columns, must be 1 to 1000", c.Columns)
	case c.ValueSize < 0 || c.ValueSize > 16<<20:
		return fmt.Errorf("bench: value size %d, must be 1 to 16 MiB", c.ValueSize)
	case c.ValueSizeMin < 0 || c.ValueSizeMin > cmp.Or(c.ValueSize, defaultValueSize):
		return fmt.Errorf("bench: smallest value size %d, must be 1 to the largest", c.ValueSizeMin)
	case c.Connections < 0 || c.Duration < 0 || c.Warmup < 0:
		return fmt.Errorf("bench: negative connections, duration or warm-up")
	case c.Rate < 0 || c.Operations < 0 || c.Rows < 0 || c.RowsPer < 0:
		return fmt.Errorf("bench: negative rate or count")
	}
	return nil
}
