package vfs

import (
	"io/fs"
	"math"
	"testing"
)

func TestMemory(t *testing.T) {
	if n := OS.Memory(); n <= 0 {
		t.Errorf("the machine has %d bytes of memory", n)
	}
}

func TestAmount(t *testing.T) {
	for text, want := range map[string]int64{
		"MemTotal:       24684092 kB\nMemAvailable:   22079904 kB\nBuffers: 1 kB\n": 22079904 << 10,
		"MemAvailable: 0 kB\n":                    0,
		"MemTotal: 24684092 kB\n":                 0,
		"":                                        0,
		"MemAvailable: many kB\n":                 0,
		"MemAvailable: -5 kB\n":                   0,
		"MemAvailable: 9223372036854775807 kB\n":  0,
		"MemAvailable: 92233720368547758070 kB\n": 0,
	} {
		if n := amount([]byte(text), "MemAvailable:"); n != want {
			t.Errorf("amount in %q is %d, want %d", text, n, want)
		}
	}
}

func TestGroupLimit(t *testing.T) {
	files := map[string]string{
		"/sys/fs/cgroup/memory.max":                              "max\n",
		"/sys/fs/cgroup/a/memory.max":                            "3000\n",
		"/sys/fs/cgroup/a/b/memory.max":                          "max\n",
		"/sys/fs/cgroup/a/b/c/memory.max":                        "4000\n",
		"/sys/fs/cgroup/memory/memory.limit_in_bytes":            "9223372036854771712\n",
		"/sys/fs/cgroup/memory/x/memory.limit_in_bytes":          "2000\n",
		"/sys/fs/cgroup/memory/hostile/../memory.limit_in_bytes": "1\n",
	}
	read := func(name string) ([]byte, error) {
		text, ok := files[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}
	for groups, want := range map[string]int64{
		"":                          math.MaxInt64,
		"0::/\n":                    math.MaxInt64,
		"0::/a/b/c\n":               3000,
		"0::/a/b/gone\n":            3000,
		"4:memory:/x\n0::/\n":       2000,
		"4:memory:/\n":              9223372036854771712,
		"5:devices:/x\n1:cpu:/\n":   math.MaxInt64,
		"nonsense\n0:\n0::../../\n": math.MaxInt64,
	} {
		if n := groupLimit([]byte(groups), read); n != want {
			t.Errorf("the limit of %q is %d, want %d", groups, n, want)
		}
	}
}
