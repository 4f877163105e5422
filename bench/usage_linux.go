package bench

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// clockTicks is the kernel's USER_HZ, 100 on every Linux that Go runs on.
const clockTicks = 100

// measure reads a process's accounts from /proc.
func measure(pid int) (u usage) {
	if pid <= 0 {
		return u
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u
	}
	// The name in parentheses may hold anything; fields count from behind it.
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return u
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	u.cpu = (user + system) / clockTicks
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u
	}
	for line := range strings.Lines(string(status)) {
		name, v, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			u.rss = kb << 10
		case "VmHWM":
			u.peak = kb << 10
		}
	}
	u.ok = true
	return u
}

// listeners are the processes that listen at some of the addresses, each
// once, with how many of the addresses have none that this process may see. One
// that listens on every address of the machine is found for those of loopback.
func listeners(addresses []netip.AddrPort) (pids []int, unseen int) {
	inodes := map[netip.AddrPort]string{}
	readListeners("/proc/net/tcp", inodes)
	readListeners("/proc/net/tcp6", inodes)
	owners := socketOwners(inodes)
	for _, a := range addresses {
		inode := inodes[a]
		for _, any := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
			if inode == "" && a.Addr().IsLoopback() {
				inode = inodes[netip.AddrPortFrom(any, a.Port())]
			}
		}
		pid := owners[inode]
		if pid == 0 {
			unseen++
		} else if !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids, unseen
}

// readListeners adds the inodes of listening sockets that a table of the
// kernel has.
func readListeners(table string, inodes map[netip.AddrPort]string) {
	text, err := os.ReadFile(table)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		// 1 is the local address, 3 the state, in which 0A is listening, 9 the inode.
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != "0A" {
			continue
		}
		if a, ok := parseAddress(f[1]); ok {
			inodes[a] = f[9]
		}
	}
}

// parseAddress reads an address as the kernel writes it: words of 32 bits in
// the machine's order, which is little-endian here, and the port, all in hex.
func parseAddress(s string) (a netip.AddrPort, ok bool) {
	words, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(words)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b) != 4 && len(b) != 16 {
		return a, false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	ip, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), true
}

// socketOwners are the processes that have sockets of these inodes open, as
// far as this one may see.
func socketOwners(inodes map[netip.AddrPort]string) map[string]int {
	wanted := map[string]string{}
	for _, inode := range inodes {
		wanted["socket:["+inode+"]"] = inode
	}
	owners := map[string]int{}
	files, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return owners
	}
	for _, f := range files {
		target, err := os.Readlink(f)
		if err != nil || wanted[target] == "" {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(f, "/")[2]); err == nil {
			owners[wanted[target]] = pid
		}
	}
	return owners
}
