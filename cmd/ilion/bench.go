package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ilion-db/ilion/bench"
)

const benchHelp = `Load a server or a cluster and report rates and latencies.

  write, timeseries   insert rows, one after the other
  read, mixed         rows that write has written: reads, or half reads, half overwrites
  verify              read back every row that write has written and compare it
  scan                100 rows of a partition from a random place; brings its own rows
  ycsb-a to ycsb-f    the core workloads of YCSB; ycsb-load, or the first of them, loads rows:
                        a  half reads, half updates          d  95 % reads of the latest rows, 5 % inserts
                        b  95 % reads, 5 % updates           e  95 % scans of up to 100 rows, 5 % inserts
                        c  reads                             f  half reads, half read-modify-writes

What reads want must have been written with the same --rows, --columns, --value-size,
--partition-rows and --seed. Keyspace and table are made if they are not there.

HOST is "host" or "host:port", 127.0.0.1 if none is given; the other nodes of a cluster are
found, and each request goes to a node that has its row. The protocol cql (the stock driver)
uses the native port, 9042 unless it is given, and wire, Ilion's own, the internode port, 7000.`

func benchCommand() *cobra.Command {
	var c bench.Config
	var asJSON bool
	var replicas int
	cmd := &cobra.Command{
		Use:   "bench WORKLOAD [HOST...]",
		Short: "Load a server or a cluster and report rates and latencies",
		Long:  benchHelp,
		Example: "  ilion bench write -n 100000 --rows 100000\n" +
			"  ilion bench read --rows 100000 --distribution zipf --duration 30s\n" +
			"  ilion bench mixed --rows 100000 --rate 5000 --duration 30s --json\n" +
			"  ilion bench ycsb-a 127.0.0.1 127.0.0.2 127.0.0.3 --replication-factor 3 --consistency QUORUM --rows 100000",
		Args:      oneWorkload,
		ValidArgs: bench.Workloads,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Workload = args[0]
			if len(args) > 1 {
				if cmd.Flags().Changed("hosts") {
					return fmt.Errorf("hosts are given twice: behind the workload and with --hosts")
				}
				c.Target.Hosts = args[1:]
			}
			if cmd.Flags().Changed("replication-factor") {
				c.Target.Replication = strconv.Itoa(replicas)
			}
			if terminal(os.Stderr) && !asJSON {
				c.Progress = os.Stderr
			}
			report, err := bench.Run(cmd.Context(), c)
			if err != nil {
				return err
			}
			return show(cmd, report, asJSON)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	targetFlags(cmd, &c.Target)
	f.IntVar(&replicas, "replication-factor", 1, "replicas of the keyspace, if it is made")
	f.StringVar(&c.Target.Replication, "replication", "", "`replicas` by data centre instead, as dc1:3,dc2:2")
	cmd.MarkFlagsMutuallyExclusive("replication", "replication-factor")
	f.Int64VarP(&c.Operations, "operations", "n", 1_000_000, "how many operations")
	f.DurationVar(&c.Duration, "duration", 0, "how long, instead of how many")
	f.DurationVar(&c.Warmup, "warmup", 0, "how long to make operations that do not count first")
	f.IntVarP(&c.Workers, "workers", "c", 64, "operations in flight")
	f.Float64Var(&c.Rate, "rate", 0, "open loop at so many operations a second; latency counts from the intended start")
	dataFlags(cmd, &c.Data)
	f.BoolVar(&asJSON, "json", false, "one line of JSON instead of text")
	return cmd
}

// targetFlags are where requests go and what they ask for.
func targetFlags(cmd *cobra.Command, t *bench.Target) {
	f := cmd.Flags()
	f.StringVar(&t.Protocol, "protocol", "cql", "of requests: "+strings.Join(bench.Protocols, ", "))
	f.StringSliceVar(&t.Hosts, "hosts", nil, "some `hosts` of the cluster, as host or host:port (default 127.0.0.1)")
	f.StringVar(&t.ClusterKeyFile, "cluster-key-file", "", "`file` with the cluster's key, if it has one; for wire")
	f.StringVar(&t.LocalDC, "local-dc", "", "`data centre` whose nodes get the requests (default any)")
	f.IntVar(&t.Connections, "connections", 2, "connections per node")
	f.StringVar(&t.Consistency, "consistency", "ONE", "consistency `level` of reads and writes")
	f.StringVar(&t.ReadConsistency, "read-consistency", "", "consistency `level` of reads, if another")
	f.StringVar(&t.WriteConsistency, "write-consistency", "", "consistency `level` of writes, if another")
	f.StringVar(&t.Keyspace, "keyspace", "ilion_bench", "keyspace of the tables")
	f.IntSliceVar(&t.PIDs, "pid", nil, "server `processes` on this machine whose CPU and memory to show\n(default those that listen at the nodes' addresses)")
}

// dataFlags are what the table holds and how rows are chosen.
func dataFlags(cmd *cobra.Command, d *bench.Data) {
	f := cmd.Flags()
	f.Int64Var(&d.Rows, "rows", 1_000_000, "rows in the table")
	f.Int64Var(&d.PartitionRows, "partition-rows", 1000, "rows in a partition of scan and timeseries")
	f.IntVar(&d.Columns, "columns", 0, "values in a row (default 5, ycsb 10)")
	f.Var((*valueSize)(d), "value-size", "bytes of a value, or a range as 16-200, in which sizes are uniform (default 40, ycsb 100)")
	f.StringVar(&d.Distribution, "distribution", "", "of keys: "+strings.Join(bench.Distributions, ", ")+" (default uniform, ycsb as the mix has it)")
	f.Uint64Var(&d.Seed, "seed", 1, "of keys and values")
}

// show writes the report; requests that failed are an error.
func show(cmd *cobra.Command, report *bench.Report, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(cmd.OutOrStdout()).Encode(report); err != nil {
			return err
		}
	} else {
		report.WriteText(cmd.OutOrStdout())
	}
	if n := report.Failed(); n > 0 {
		return fmt.Errorf("%d operations failed", n)
	}
	return nil
}

func oneWorkload(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || !slices.Contains(bench.Workloads, args[0]) {
		return fmt.Errorf("%s takes one of %s (see `%[1]s --help`)", cmd.CommandPath(), strings.Join(bench.Workloads, ", "))
	}
	return nil
}

// valueSize is the flag of a size or a range of sizes.
type valueSize bench.Data

func (v *valueSize) String() string {
	switch {
	case v.ValueSize == 0:
		return ""
	case v.ValueSizeMin == 0:
		return strconv.Itoa(v.ValueSize)
	}
	return fmt.Sprintf("%d-%d", v.ValueSizeMin, v.ValueSize)
}

func (v *valueSize) Type() string { return "bytes" }

func (v *valueSize) Set(s string) error {
	low, high, isRange := strings.Cut(s, "-")
	n, err := strconv.Atoi(low)
	if err != nil || n < 1 {
		return fmt.Errorf("want a number or a range as 16-200")
	}
	v.ValueSizeMin, v.ValueSize = 0, n
	if !isRange {
		return nil
	}
	if v.ValueSize, err = strconv.Atoi(high); err != nil {
		return fmt.Errorf("want a number or a range as 16-200")
	}
	v.ValueSizeMin = n
	return nil
}

// terminal tells whether f is one.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
