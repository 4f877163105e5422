package bench

import (
	"net"
	"os"
	"runtime"
	"slices"
	"testing"
)

func listen(t *testing.T, network, address string) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestFindServers(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // nothing can be seen there
	}
	a, b := listen(t, "tcp", "127.0.0.1:0"), listen(t, "tcp", "127.0.0.1:0")
	_, anywhere, err := net.SplitHostPort(listen(t, "tcp4", "0.0.0.0:0"))
	if err != nil {
		t.Fatal(err)
	}
	me := []int{os.Getpid()}
	for _, tc := range []struct {
		nodes []string
		pids  []int
		want  int // nodes
	}{
		{[]string{a}, me, 1},
		{[]string{a, b}, me, 1}, // one process has both
		{[]string{"127.0.0.1:" + anywhere}, me, 1},
		{[]string{"192.0.2.1:" + anywhere}, nil, 1}, // another machine's
		{[]string{a, "192.0.2.1:9042"}, me, 2},
		{[]string{"db1:9042"}, nil, 1},
	} {
		s := findServers(&Target{}, tc.nodes)
		if !slices.Equal(s.pids, tc.pids) || s.nodes != tc.want {
			t.Errorf("%v: processes %v of %d, want %v of %d", tc.nodes, s.pids, s.nodes, tc.pids, tc.want)
		}
	}
	if s := findServers(&Target{PIDs: []int{7, 8}}, []string{a}); !slices.Equal(s.pids, []int{7, 8}) || s.nodes != 2 {
		t.Errorf("named processes: %v of %d", s.pids, s.nodes)
	}
	if u := measure(os.Getpid()); !u.ok || u.rss == 0 || u.peak < u.rss/2 {
		t.Errorf("usage of this process: %+v", u)
	}
	if measure(-1).ok {
		t.Error("a process that there is not has usage")
	}
}
