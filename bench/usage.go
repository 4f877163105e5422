package bench

import "net/netip"

// usage is what a process has used.
type usage struct {
	cpu       float64 // seconds, user and system
	rss, peak int64   // bytes
	ok        bool    // it could be seen
}

// servers are the processes of the nodes, as far as they can be seen.
type servers struct {
	pids  []int
	nodes int // how many there should be
}

// findServers takes the processes that t names or, if it names none, those
// that listen on this machine at the nodes' addresses.
func findServers(t *Target, nodes []string) servers {
	if len(t.PIDs) > 0 {
		return servers{t.PIDs, len(t.PIDs)}
	}
	var local []netip.AddrPort
	unseen := 0
	for _, n := range nodes {
		a, err := netip.ParseAddrPort(n)
		if err != nil {
			unseen++
			continue
		}
		local = append(local, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	pids, foreign := listeners(local)
	return servers{pids, len(pids) + unseen + foreign}
}

func (s *servers) measure() []usage {
	var all []usage
	for _, pid := range s.pids {
		all = append(all, measure(pid))
	}
	return all
}

// between adds up what was used between two moments by the processes that
// could be seen at both; nil if none could.
func (s *servers) between(before, after []usage) *Servers {
	sum := Servers{Nodes: s.nodes}
	for i, b := range before {
		a := after[i]
		if !a.ok || !b.ok {
			continue
		}
		sum.Processes++
		sum.CPUSeconds += a.cpu - b.cpu
		sum.RSS += a.rss
		sum.PeakRSS += a.peak
	}
	if sum.Processes == 0 {
		return nil
	}
	return &sum
}
