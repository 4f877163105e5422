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

func benchCommand() *cobra.Command {
	var c bench.Config
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench {" + strings.Join(bench.Workloads, "|") + "}",
		Short: "Load a server and report rates and latencies",
		Long: "Load a server and report rates and latencies. The tables are made if they are\n" +
			"not there; read, mixed, scan and verify want what write (or timeseries) has written,\n" +
			"with the same --rows, --columns, --value-size and --seed.",
		Example: "  ilion bench write -n 100000 --rows 100000\n" +
			"  ilion bench read --rows 100000 --distribution zipf --duration 30s\n" +
			"  ilion bench mixed --rows 100000 --rate 5000 --duration 30s --json",
		Args:      oneWorkload,
		ValidArgs: bench.Workloads,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Workload = args[0]
			if terminal(os.Stderr) && !asJSON {
				c.Progress = os.Stderr
			}
			report, err := bench.Run(cmd.Context(), c)
			if err != nil {
				return err
			}
			if asJSON {
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(report); err != nil {
					return err
				}
			} else {
				report.WriteText(cmd.OutOrStdout())
			}
			if n := report.Failed(); n > 0 {
				return fmt.Errorf("%d requests failed", n)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&c.Hosts, "hosts", []string{"127.0.0.1:9042"}, "servers, as `host:port`")
	f.Int64VarP(&c.Operations, "operations", "n", 1_000_000, "how many requests")
	f.DurationVar(&c.Duration, "duration", 0, "how long, instead of how many")
	f.DurationVar(&c.Warmup, "warmup", 0, "how long to make requests that do not count first")
	f.IntVarP(&c.Workers, "workers", "c", 64, "requests in flight")
	f.IntVar(&c.Connections, "connections", 2, "connections per host")
	f.Float64Var(&c.Rate, "rate", 0, "open loop at so many requests a second; latency counts from the intended start")
	f.Int64Var(&c.Rows, "rows", 1_000_000, "rows in the table")
	f.Int64Var(&c.RowsPer, "partition-rows", 1000, "rows in a partition of scan and timeseries")
	f.StringVar(&c.Distribution, "distribution", "uniform", "of keys: uniform, zipf, latest")
	c.ValueSize = 40
	f.Var((*valueSize)(&c), "value-size", "bytes of a value, or a range as 16-200, in which sizes are uniform")
	f.IntVar(&c.Columns, "columns", 5, "values in a row")
	f.StringVar(&c.Consistency, "consistency", "ONE", "consistency level")
	f.StringVar(&c.Keyspace, "keyspace", "ilion_bench", "keyspace of the tables")
	f.Uint64Var(&c.Seed, "seed", 1, "of keys and values")
	f.IntVar(&c.PID, "pid", 0, "server process on this machine whose CPU and memory to show (default: the one that listens on loopback)")
	f.BoolVar(&asJSON, "json", false, "one line of JSON instead of text")
	return cmd
}

func oneWorkload(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || !slices.Contains(bench.Workloads, args[0]) {
		return fmt.Errorf("%s takes one of %s (see `%[1]s --help`)", cmd.CommandPath(), strings.Join(bench.Workloads, ", "))
	}
	return nil
}

// valueSize is the flag of a size or a range of sizes.
type valueSize bench.Config

func (v *valueSize) String() string {
	if v.ValueSizeMin == 0 {
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
