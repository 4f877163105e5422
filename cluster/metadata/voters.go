package metadata

import (
	"errors"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

const (
	// votersEveryTicks is how often the leader looks at who should vote.
	votersEveryTicks = 10
	// voterDeadAfter is for how long a voter may be silent before another takes
	// its place.
	voterDeadAfter = 10 * time.Minute
)

// reviseVoters proposes the next change of voters, if one is due.
func (c *core) reviseVoters() error {
	s := c.l.state.Load()
	if c.applied != s.at.index || len(s.outgoing) > 0 {
		return nil // the library does not know all of it, or a change is under way
	}
	now := c.l.clock.Mono()
	dead := func(host [16]byte) bool {
		if host == c.l.opts.HostID {
			return false
		}
		last, known := c.heard[raftID(host)]
		if !known {
			c.heard[raftID(host)] = now
		}
		return known && now-last >= voterDeadAfter
	}
	live := c.l.opts.Live
	if live == nil {
		live = func([16]byte) bool { return true }
	}
	add, remove := nextVoters(s.Members, s.Voters, dead, live)
	if add == nil && remove == nil {
		return nil
	}
	if remove != nil && *remove == c.l.opts.HostID {
		if len(s.Voters) > 1 {
			c.transfer(s)
			return nil
		}
		remove = nil // another comes first, so that there is one to go on
	}
	return c.changeVoters(s, add, remove)
}

// transfer makes another voter the leader, which then removes this one.
func (c *core) transfer(s *State) {
	for _, h := range s.Voters {
		if h != c.l.opts.HostID && c.l.clock.Mono()-c.heard[raftID(h)] < electionTicks*tickEvery {
			c.node.TransferLeader(raftID(h))
			return
		}
	}
}

func (c *core) changeVoters(s *State, add, remove *[16]byte) error {
	var change raftpb.ConfChangeV2
	cmd := &command{voters: slices.Clone(s.Voters)}
	if remove != nil {
		change.Changes = append(change.Changes, raftpb.ConfChangeSingle{Type: raftpb.ConfChangeRemoveNode, NodeID: raftID(*remove)})
		cmd.voters = slices.DeleteFunc(cmd.voters, func(h [16]byte) bool { return h == *remove })
	}
	if add != nil {
		change.Changes = append(change.Changes, raftpb.ConfChangeSingle{Type: raftpb.ConfChangeAddNode, NodeID: raftID(*add)})
		cmd.voters = append(cmd.voters, *add)
		cmd.voters = sortedHosts(cmd.voters)
		c.heard[raftID(*add)] = c.l.clock.Mono()
	}
	if len(change.Changes) > 1 {
		cmd.outgoing = s.Voters
	}
	change.Context = appendCommand(nil, cmd)
	return c.guard(func() error {
		err := c.node.ProposeConfChange(change)
		if err != nil && !errors.Is(err, raft.ErrProposalDropped) { // it is proposed again
			c.l.opts.Warn("metadata: change of voters: " + err.Error())
		}
		return nil
	})
}

func sortedHosts(hosts [][16]byte) [][16]byte {
	return slices.SortedFunc(slices.Values(hosts), func(a, b [16]byte) int { return slices.Compare(a[:], b[:]) })
}

// votersFor is how many voters a cluster of n has: an odd number, because an
// even one survives no more deaths than the one below it.
func votersFor(n int) int {
	return max(1, min(maxVoters, n-1+n%2))
}

// nextVoters is one step towards voters that are members, live and spread over
// data centres and racks: one to add, one to remove, or both; nil for none.
func nextVoters(members []Member, voters [][16]byte, dead, live func([16]byte) bool) (add, remove *[16]byte) {
	want := votersFor(len(members))
	candidate := func(without *[16]byte) *[16]byte { return bestCandidate(members, voters, without, dead, live) }
	for _, bad := range []func([16]byte) bool{
		func(h [16]byte) bool { _, found := memberAt(members, h); return !found },
		dead,
	} {
		for i := range voters {
			if !bad(voters[i]) {
				continue
			}
			if len(voters) <= want {
				add = candidate(&voters[i])
			}
			if _, member := memberAt(members, voters[i]); member && add == nil {
				continue // a dead one is better than none: it may come back
			}
			return add, &voters[i]
		}
	}
	if len(voters) < want {
		return candidate(nil), nil
	}
	if len(voters) > want {
		return nil, mostCrowded(members, voters)
	}
	worst := mostCrowded(members, voters)
	add = candidate(worst)
	if add == nil || worst == nil {
		return nil, nil
	}
	replaced := append(slices.DeleteFunc(slices.Clone(voters), func(h [16]byte) bool { return h == *worst }), *add)
	if crowding(members, replaced) < crowding(members, voters) {
		return add, worst
	}
	return nil, nil
}

// crowding is how unevenly voters are spread: pairs in one data centre, and
// among these pairs in one rack.
func crowding(members []Member, voters [][16]byte) int {
	sum := 0
	for i := range voters {
		a, found := memberAt(members, voters[i])
		if !found {
			continue
		}
		for j := range i {
			b, found := memberAt(members, voters[j])
			if !found || members[a].DC != members[b].DC {
				continue
			}
			sum += 2
			if members[a].Rack == members[b].Rack {
				sum++
			}
		}
	}
	return sum
}

// bestCandidate is the live member outside of voters that would be the least
// crowded among them if without leaves, nil if there is none.
func bestCandidate(members []Member, voters [][16]byte, without *[16]byte, dead, live func([16]byte) bool) *[16]byte {
	rest := slices.DeleteFunc(slices.Clone(voters), func(h [16]byte) bool { return without != nil && h == *without })
	var best *[16]byte
	least := 0
	for i := range members {
		h := members[i].HostID
		if contains(voters, h) || !live(h) {
			continue
		}
		if n := crowding(members, append(rest[:len(rest):len(rest)], h)); best == nil || n < least {
			best, least = &members[i].HostID, n
		}
	}
	return best
}

// mostCrowded is the voter without which the others are spread best.
func mostCrowded(members []Member, voters [][16]byte) *[16]byte {
	var worst *[16]byte
	least := 0
	for i := range voters {
		rest := slices.Delete(slices.Clone(voters), i, i+1)
		if n := crowding(members, rest); worst == nil || n < least {
			worst, least = &voters[i], n
		}
	}
	return worst
}
