package coordinator

import "slices"

// member returns what is known of a node.
func (c *Cluster) member(host [16]byte) *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[host]
	if m == nil {
		m = &member{host: host}
		if host != c.cfg.HostID {
			m.peer = c.cfg.Peer(host)
		}
		c.members[host] = m
	}
	return m
}

// SetAlive tells what the failure detector says of a node. It does not block.
func (c *Cluster) SetAlive(host [16]byte, alive bool) {
	if c.member(host).alive.Swap(alive) != alive {
		c.LivenessChanged()
	}
}

// LivenessChanged makes the topology show which nodes are up, also after
// connections to one began to work or failed. It does not block.
func (c *Cluster) LivenessChanged() {
	if c.refreshing.CompareAndSwap(false, true) {
		c.startRefresh()
	}
}

// startRefresh begins to show who is up, later if all workers are busy.
func (c *Cluster) startRefresh() {
	if !c.workers.Submit((*refresh)(c)) && !c.closed.Load() {
		c.cfg.Clock.AfterFunc(tick, c.startRefresh)
	}
}

// refresh is the task of showing who is up.
type refresh Cluster

func (r *refresh) run() {
	c := (*Cluster)(r)
	<-c.turn
	defer func() { c.turn <- struct{}{} }()
	c.refreshing.Store(false)
	v := *c.view.Load()
	t := *v.topology
	t.Nodes = slices.Clone(t.Nodes)
	for i := range t.Nodes {
		t.Nodes[i].Up = v.members[i].live()
	}
	v.topology = &t
	c.view.Store(&v)
	c.changed.announce()
}

// HeardEpoch tells which epoch a member has in force, as it says in gossip or
// in a hello.
func (c *Cluster) HeardEpoch(host [16]byte, epoch uint64) {
	v := c.view.Load()
	if i, known := v.byHost[host]; known {
		c.heard(v.members[i], epoch)
	}
}

// heard takes in the epoch of an answer.
func (c *Cluster) heard(m *member, epoch uint64) {
	for {
		old := m.epoch.Load()
		if epoch <= old {
			return
		}
		if m.epoch.CompareAndSwap(old, epoch) {
			break
		}
	}
	if epoch > c.view.Load().epoch {
		c.cfg.Metadata.Hear(m.host, epoch)
	}
	c.changed.announce()
}
