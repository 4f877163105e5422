package foreign

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
)

// Ports are given out from blocks. The listener on the first port of a block
// is never closed, so that no other process has the block as long as this one
// lives. Processes begin at different blocks, lest they meet often.
const (
	lowestPort = 10_000
	portBlock  = 100
)

var ports struct {
	mu        sync.Mutex // protects what follows
	held      []net.Listener
	blocks    int // tried so far
	next, end int
}

// Port returns a port below those that the kernel gives to connections, which
// no address of this machine has in use and which no test process is given a
// second time: a server that is started again must find its port free.
func Port(t testing.TB) int {
	t.Helper()
	ports.mu.Lock()
	defer ports.mu.Unlock()
	for range 10_000 {
		if ports.next == ports.end {
			n := (os.Getpid() + ports.blocks) % ((highestPort() - lowestPort) / portBlock)
			first := lowestPort + n*portBlock
			ports.blocks++
			if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first)); err == nil {
				ports.held = append(ports.held, l)
				ports.next, ports.end = first+1, first+portBlock
			}
			continue
		}
		port := ports.next
		ports.next++
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// highestPort is where the kernel's own ports begin.
func highestPort() int {
	var low int
	p, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if _, scan := fmt.Sscan(string(p), &low); err != nil || scan != nil || low < 2*lowestPort {
		return 3 * lowestPort
	}
	return min(low, 6*lowestPort)
}
