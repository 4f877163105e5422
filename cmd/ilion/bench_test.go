package main

import (
	"strings"
	"testing"

	"github.com/ilion-db/ilion/bench"
)

func TestBenchFlags(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"", "ilion bench takes one of write, read, mixed, scan, timeseries, verify, ycsb-load, ycsb-a"},
		{"sleep", "ilion bench takes one of write, read"},
		{"write --rows many", `invalid argument "many" for "--rows" flag`},
		{"write --value-size 9-x", "want a number or a range as 16-200"},
		{"write --value-size 9-3", "smallest value size 9, must be 1 to the largest, 3"},
		{"write --columns 2000", "2000 columns, must be 1 to 1000"},
		{"write --distribution normal", `distribution "normal" is none of [uniform zipf latest]`},
		{"write --consistency MOST", `consistency level "MOST" is none of ANY, ONE, TWO`},
		{"read --consistency ANY", "ANY is no level of reads"},
		{"write --replication 0", `replication "0": must be a number of replicas, or one for each data centre`},
		{"write --replication-factor 0", `replication "0"`},
		{"write --replication dc1:2 --replication-factor 2", "none of the others can be"},
		{"write --hosts a b", "hosts are given twice"},
		{"write a:b:c", `bad host "a:b:c"`},
		{"write --keyspace my-ks", `keyspace "my-ks"`},
		{"write --protocol http", `protocol "http" is none of [cql wire]`},
		{"write --cluster-key-file k", "a cluster's key is for the protocol wire only"},
		{"write --protocol wire --cluster-key-file /nonexistent/key", "the cluster's key: open /nonexistent/key"},
		{"write --pid 1,x", `invalid argument "1,x" for "--pid" flag`},
		{"write 127.0.0.1:1", "nothing listens at 127.0.0.1:1: start a server with `ilion serve`"},
	} {
		cmd := root()
		var out strings.Builder
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs(append([]string{"bench"}, strings.Fields(tc.args)...))
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("bench %s: %v, want %q", tc.args, err, tc.want)
		}
		if out.Len() > 0 {
			t.Errorf("bench %s printed %q", tc.args, out.String())
		}
	}
}

// What the help says must name every workload and every distribution.
func TestBenchHelp(t *testing.T) {
	cmd := root()
	var out strings.Builder
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"bench", "--help"})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, w := range append(bench.Workloads, bench.Distributions...) {
		if strings.HasPrefix(w, "ycsb-") && len(w) == len("ycsb-a") {
			w = "\n" + strings.Repeat(" ", 24) + "a  " // rows of the table of mixes
		}
		if !strings.Contains(out.String(), w) {
			t.Errorf("the help does not tell of %q", w)
		}
	}
}
