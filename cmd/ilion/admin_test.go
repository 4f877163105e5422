package main

import (
	"strings"
	"testing"
)

func TestAddressOfNode(t *testing.T) {
	for host, want := range map[string]string{
		"127.0.0.1:9180": "127.0.0.1:9180", "10.0.0.1": "10.0.0.1:9180", "localhost:1": "localhost:1", "::1": "[::1]:9180", "[::1]": "[::1]:9180", "[::1]:1": "[::1]:1",
	} {
		if got := (&question{host: host}).address(); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}

// What is typed wrong is told in words that say what is right.
func TestMistakes(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"status --host 127.0.0.1:1", "no answer from a node at 127.0.0.1:1"},
		{"status a b", "ilion status takes a keyspace (see `ilion status --help`)"},
		{"ring --of x", "unknown flag: --of (see `ilion ring --help`)"},
		{"getendpoints a b", "ilion getendpoints takes a keyspace, a table and a key"},
		{"clearsnapshot", "Say either --tag NAME or --all"},
		{"clearsnapshot --all --tag x", "Say either --tag NAME or --all"},
		{"version x", "ilion version takes flags only, not \"x\""},
		{"serve here", "ilion serve takes flags only, not \"here\""},
		{"serve --native-port x", "--native-port: \"x\" is not a port"},
		{"serve --memory 1MiB", "memory: 1MiB is less than the least that works, 256MiB"},
		{"serve --listen-address 192.0.2.1", "To allow that, add --insecure"},
		{"serve --config /nonexistent/ilion.yaml", "config: open /nonexistent/ilion.yaml"},
		{"demo -n 0", "demo: 0 nodes, possible are 1 to 50"},
		{"demo --rate 0", "demo: 0 requests a second, must be more than 0"},
	} {
		cmd := root()
		var out strings.Builder
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs(strings.Fields(tc.args))
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.args, err, tc.want)
		}
		if out.Len() > 0 {
			t.Errorf("%s printed %q", tc.args, out.String())
		}
	}
}

func TestProgram(t *testing.T) {
	for called, want := range map[string]string{"./ilion": "./ilion", "../bin/ilion": "../bin/ilion", "ilion": "ilion", "/usr/local/bin/ilion": "ilion"} {
		if got := program(called); got != want {
			t.Errorf("%s is called as %s", called, got)
		}
	}
}
