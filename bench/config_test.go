package bench

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		c    Config
		want string // in the error; empty for none
	}{
		{Config{Workload: "write"}, ""},
		{Config{Workload: "ycsb-a"}, ""},
		{Config{Workload: "write", Data: Data{ValueSize: 10, ValueSizeMin: 5}}, ""},
		{Config{Workload: "write", Data: Data{ValueSizeMin: 5}}, ""},
		{Config{Workload: "ycsb-a", Data: Data{ValueSizeMin: 90}}, ""},
		{Config{Workload: "sleep"}, `workload "sleep" is none of [write read`},
		{Config{Workload: "write", Data: Data{Distribution: "normal"}}, `distribution "normal" is none of [uniform zipf latest]`},
		{Config{Workload: "write", Workers: 1 << 20}, "1048576 workers"},
		{Config{Workload: "write", Data: Data{Columns: 1001}}, "1001 columns"},
		{Config{Workload: "write", Data: Data{Columns: -1}}, "-1 columns"},
		{Config{Workload: "write", Data: Data{ValueSize: 17 << 20}}, "value size"},
		{Config{Workload: "write", Data: Data{ValueSize: 10, ValueSizeMin: 11}}, "smallest value size"},
		{Config{Workload: "write", Data: Data{Rows: -1}}, "negative"},
		{Config{Workload: "write", Rate: -1}, "negative"},
		{Config{Workload: "write", Warmup: -1}, "negative"},
		{Config{Workload: "write", Target: Target{Protocol: "http"}}, `protocol "http" is none of`},
		{Config{Workload: "write", Target: Target{Connections: 1025}}, "1025 connections"},
		{Config{Workload: "write", Target: Target{Hosts: []string{"a:b:c"}}}, `"a:b:c"`},
		{Config{Workload: "write", Target: Target{Hosts: []string{"db1:0"}}}, `"db1:0"`},
		{Config{Workload: "write", Target: Target{Keyspace: "a; DROP"}}, `keyspace "a; DROP"`},
		{Config{Workload: "write", Target: Target{Replication: "0"}}, `replication "0"`},
		{Config{Workload: "write", Target: Target{Replication: "dc1:3,dc1:2"}}, `replication "dc1:3,dc1:2"`},
		{Config{Workload: "write", Target: Target{Consistency: "MOST"}}, `"MOST" is none of ANY, ONE, TWO, THREE, QUORUM, ALL, LOCAL_QUORUM, EACH_QUORUM`},
		{Config{Workload: "write", Target: Target{Consistency: "local_quorum"}}, ""},
		{Config{Workload: "write", Target: Target{Consistency: "ANY"}}, ""},
		{Config{Workload: "read", Target: Target{Consistency: "SERIAL"}}, ""},
		{Config{Workload: "mixed", Target: Target{Consistency: "ANY"}}, "ANY is no level of reads; --write-consistency ANY"},
		{Config{Workload: "mixed", Target: Target{ReadConsistency: "ONE", Consistency: "ANY"}}, ""},
		{Config{Workload: "write", Target: Target{Consistency: "SERIAL"}}, "SERIAL is no level of writes"},
		{Config{Workload: "mixed", Target: Target{Consistency: "SERIAL", WriteConsistency: "QUORUM"}}, ""},
	} {
		err := tc.c.Validate()
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc.c, err, tc.want)
		}
	}
}

func TestDefaults(t *testing.T) {
	for _, w := range Workloads {
		c := Config{Workload: w}
		c.setDefaults()
		columns, size := 5, 40
		if strings.HasPrefix(w, "ycsb") {
			columns, size = 10, 100
		}
		if c.Data.Columns != columns || c.Data.ValueSize != size || c.Data.ValueSizeMin != size {
			t.Errorf("%s: %+v", w, c.Data)
		}
		if want := map[string]string{"ycsb-d": "latest", "ycsb-a": "zipf", "read": "uniform"}[w]; want != "" && c.Data.Distribution != want {
			t.Errorf("%s: distribution %s, want %s", w, c.Data.Distribution, want)
		}
	}
}

func TestVerifyAndLoadTakeEachRowOnce(t *testing.T) {
	for _, w := range []string{"verify", "ycsb-load"} {
		c := Config{Workload: w, Data: Data{Rows: 17}, Operations: 3, Duration: 5, Warmup: 5}
		c.setDefaults()
		if c.Operations != 17 || c.Duration != 0 || c.Warmup != 0 {
			t.Errorf("%s: %d operations, duration %v, warm-up %v", w, c.Operations, c.Duration, c.Warmup)
		}
	}
}

func TestSplitHost(t *testing.T) {
	for in, want := range map[string]struct {
		host string
		port int
	}{
		"db1": {"db1", 9042}, "db1:9999": {"db1", 9999}, "[::1]:80": {"::1", 80}, "[::1]": {"::1", 9042}, "::1": {"::1", 9042},
	} {
		host, port, err := splitHost(in, 9042)
		if err != nil || host != want.host || port != want.port {
			t.Errorf("%q: %q, %d, %v", in, host, port, err)
		}
	}
	for _, bad := range []string{"db1:cql", "db1:0", "db1:65536", ":9042", "", "a:b:c"} {
		if _, _, err := splitHost(bad, 9042); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestParseReplication(t *testing.T) {
	for in, want := range map[string]string{
		"3":           "{'class': 'SimpleStrategy', 'replication_factor': 3}",
		"dc1:3":       "{'class': 'NetworkTopologyStrategy', 'dc1': 3}",
		"west:2,ea:1": "{'class': 'NetworkTopologyStrategy', 'ea': 1, 'west': 2}",
	} {
		s, err := parseReplication(in)
		if err != nil || replicationCQL(s) != want {
			t.Errorf("%q: %s, %v", in, replicationCQL(s), err)
		}
	}
	for _, bad := range []string{"", "0", "-1", "dc1", "dc1:0", "dc1:x", ":3", "dc1:3,", "dc1:1,dc1:1", "d'c:1"} {
		if _, err := parseReplication(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestTextMap(t *testing.T) {
	good := []byte("\x00\x00\x00\x02\x00\x00\x00\x01a\x00\x00\x00\x02bc\x00\x00\x00\x00\x00\x00\x00\x01d")
	m, err := textMap(good)
	if err != nil || len(m) != 2 || m["a"] != "bc" || m[""] != "d" {
		t.Errorf("%q, %v", m, err)
	}
	for n := range good {
		if _, err := textMap(good[:n]); err == nil {
			t.Errorf("cut to %d bytes, it is accepted", n)
		}
	}
}

func TestRefused(t *testing.T) {
	const address = "127.0.0.1:1" // a port of no use
	_, err := Run(context.Background(), Config{Workload: "write", Target: Target{Hosts: []string{address}}})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), address) {
		t.Errorf("%v", err)
	}
}

func TestRequestsOfWorkloads(t *testing.T) {
	for _, w := range Workloads {
		c := Config{Workload: w}
		c.setDefaults()
		p := planOf(&c)
		reads, writes := p.requests()
		onlyReads := slices.Contains([]string{"read", "verify"}, w)
		onlyWrites := slices.Contains([]string{"write", "timeseries", "ycsb-load"}, w)
		if reads == onlyWrites || writes == onlyReads {
			t.Errorf("%s: reads %v, writes %v", w, reads, writes)
		}
	}
}
