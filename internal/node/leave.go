package node

import "time"

// leaveTime is how long a node that ends tells others that it goes: gossip says
// what is new every 200 ms, to some of them at a time, and they pass it on.
const leaveTime = 300 * time.Millisecond

// leave tells the others that this node goes, so that they need not find out.
func (n *network) leave() {
	if g := n.gossip.Load(); g != nil {
		if err := g.Leave(leaveTime); err != nil {
			n.Node.log.Debug("nobody was told that this node goes", "error", err)
		}
	}
}

// close ends what talks to other nodes. Requests that wait for them are answered
// by that.
func (n *network) close(note func(what string, err error)) {
	if g := n.gossip.Load(); g != nil {
		note("gossip", g.Close())
	}
	if n.log != nil {
		note("metadata", n.log.Close())
	}
	if n.endpoint != nil {
		note("other nodes", n.endpoint.Close())
	}
	if n.listener != nil {
		n.listener.Close()
	}
	n.running.Wait()
	if n.reader != nil {
		n.reader.Close()
	}
}

// closeCluster ends what is left when the store has ended and no request waits.
func (n *network) closeCluster(note func(what string, err error)) {
	if n.cluster != nil {
		note("coordinator", n.cluster.Close())
	}
	if n.hints != nil {
		note("hints", n.hints.Close())
	}
	if n.batches != nil {
		note("batchlog", n.batches.Close())
	}
	if n.book != nil {
		note("what is known of other nodes", n.book.Save())
	}
}
