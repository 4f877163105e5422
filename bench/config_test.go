package bench

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		c    Config
		want string // in the error; empty for none
	}{
		{Config{Workload: "write"}, ""},
		{Config{Workload: "write", ValueSize: 10, ValueSizeMin: 5}, ""},
		{Config{Workload: "write", ValueSizeMin: 5}, ""},
		{Config{Workload: "sleep"}, `workload "sleep"`},
		{Config{Workload: "write", Distribution: "normal"}, `distribution "normal"`},
		{Config{Workload: "write", Workers: 1 << 20}, "workers"},
		{Config{Workload: "write", Columns: 1001}, "columns"},
		{Config{Workload: "write", ValueSize: 17 << 20}, "value size"},
		{Config{Workload: "write", ValueSize: 10, ValueSizeMin: 11}, "smallest value size"},
		{Config{Workload: "write", Rate: -1}, "negative"},
		{Config{Workload: "write", Warmup: -1}, "negative"},
	} {
		err := tc.c.Validate()
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc.c, err, tc.want)
		}
	}
}

func TestVerifyReadsEachRowOnce(t *testing.T) {
	c := Config{Workload: "verify", Rows: 17, Operations: 3, Duration: 5, Warmup: 5}
	c.setDefaults()
	if c.Operations != 17 || c.Duration != 0 || c.Warmup != 0 {
		t.Errorf("%d operations, duration %v, warm-up %v", c.Operations, c.Duration, c.Warmup)
	}
}

func TestSplitHost(t *testing.T) {
	for in, want := range map[string]struct {
		host string
		port int
	}{
		"db1": {"db1", 9042}, "db1:9999": {"db1", 9999}, "[::1]:80": {"::1", 80}, "[::1]": {"::1", 9042}, "::1": {"::1", 9042},
	} {
		host, port, err := splitHost(in)
		if err != nil || host != want.host || port != want.port {
			t.Errorf("%q: %q, %d, %v", in, host, port, err)
		}
	}
	if _, _, err := splitHost("db1:cql"); err == nil {
		t.Error("a port that is no number is accepted")
	}
}

func TestRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if runtime.GOOS == "linux" {
		if pid := findServer([]string{address}); pid != os.Getpid() {
			t.Errorf("the listener is process %d, want %d", pid, os.Getpid())
		}
	}
	if pid := findServer([]string{address, "192.0.2.1:9042"}); pid != 0 {
		t.Errorf("process %d for a host elsewhere", pid)
	}
	l.Close()
	_, err = Run(context.Background(), Config{Workload: "write", Hosts: []string{address}})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), address) {
		t.Errorf("%v", err)
	}
}
