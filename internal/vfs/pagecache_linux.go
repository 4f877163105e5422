package vfs

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// Memory is the kernel's MemAvailable, with the process's own anonymous memory,
// and at most the limit of each control group of the process: what files take
// in memory is charged to the groups.
func (osFS) Memory() int64 {
	machine, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		groups = nil // a kernel without control groups
	}
	return min(amount(machine, "MemAvailable:")+amount(own, "RssAnon:"), groupLimit(groups, os.ReadFile))
}

// amount reads a line such as "MemAvailable: 22079904 kB", see proc(5), in
// bytes; 0 if there is none.
func amount(text []byte, name string) int64 {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			if err != nil || kib < 0 || kib > math.MaxInt64>>11 {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// groupLimit is the least limit on memory of the groups that the text of
// /proc/self/cgroup names and of those above them, see cgroups(7).
func groupLimit(groups []byte, read func(name string) ([]byte, error)) int64 {
	least := int64(math.MaxInt64)
	for lines := bufio.NewScanner(bytes.NewReader(groups)); lines.Scan(); {
		// hierarchy-ID:controller-list:path
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			continue
		}
		root, file := "", ""
		switch {
		case parts[0] == "0" && parts[1] == "":
			root, file = "/sys/fs/cgroup", "memory.max"
		case parts[1] == "memory":
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			// A file that is missing, or says "max", limits nothing.
			if text, err := read(path.Join(root, group, file)); err == nil {
				if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
					least = min(least, n)
				}
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}
