package metadata

import (
	"errors"
	"slices"
	"time"

	"github.com/ilion-db/ilion/internal/invariant"
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
	next := nextVoters(s.Members, s.Voters, dead, live)
	if next == nil {
		return nil
	}
	if contains(s.Voters, c.l.opts.HostID) && !contains(next, c.l.opts.HostID) {
		if len(s.Voters) > 1 {
			c.transfer(s, next)
			return nil
		}
		next = append(next, c.l.opts.HostID) // another comes first, so that there is one to go on
	}
	return c.changeVoters(s, sortedHosts(next))
}

// transfer makes another voter the leader, one that stays if there is one, which
// then removes this one.
func (c *core) transfer(s *State, next [][16]byte) {
	for _, hosts := range [][][16]byte{next, s.Voters} {
		for _, h := range hosts {
			if h != c.l.opts.HostID && contains(s.Voters, h) && c.l.clock.Mono()-c.heard[raftID(h)] < electionTicks*tickEvery {
				c.node.TransferLeader(raftID(h))
				return
			}
		}
	}
}

// changeVoters proposes the step from the voters there are to the next ones, as
// one entry: at no time do others vote, such as an even number of them.
func (c *core) changeVoters(s *State, next [][16]byte) error {
	for _, h := range next {
		_, is := memberAt(s.Members, h)
		invariant.Check(is, "metadata: %x is to vote and is no member", h)
	}
	var change raftpb.ConfChangeV2
	for _, h := range s.Voters {
		if !contains(next, h) {
			change.Changes = append(change.Changes, raftpb.ConfChangeSingle{Type: raftpb.ConfChangeRemoveNode, NodeID: raftID(h)})
		}
	}
	for _, h := range next {
		if !contains(s.Voters, h) {
			change.Changes = append(change.Changes, raftpb.ConfChangeSingle{Type: raftpb.ConfChangeAddNode, NodeID: raftID(h)})
			c.heard[raftID(h)] = c.l.clock.Mono()
		}
	}
	cmd := &command{voters: next}
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

// ascend tells whether hosts are in order, each of them once.
func ascend(hosts [][16]byte) bool {
	for i := 1; i < len(hosts); i++ {
		if slices.Compare(hosts[i-1][:], hosts[i][:]) >= 0 {
			return false
		}
	}
	return true
}

// votersFor is how many voters a cluster of n has: an odd number, because an
// even one survives no more deaths than the one below it.
func votersFor(n int) int {
	return max(1, min(maxVoters, n-1+n%2))
}

// nextVoters is the next step towards voters that are members, live and spread
// over data centres and racks: all of those who shall vote then, an odd number;
// nil if they do.
func nextVoters(members []Member, voters [][16]byte, dead, live func([16]byte) bool) [][16]byte {
	member := func(h [16]byte) bool {
		_, found := memberAt(members, h)
		return found
	}
	var next, silent [][16]byte
	for _, h := range voters {
		switch {
		case !member(h):
		case dead(h):
			silent = append(silent, h)
		default:
			next = append(next, h)
		}
	}
	fresh := func(h [16]byte) bool { return live(h) && !contains(silent, h) }
	want := votersFor(len(members))
	for len(next) < want {
		if best := bestCandidate(members, next, fresh); best != nil {
			next = append(next, *best)
		} else if len(silent) > 0 { // a dead one is better than none: it may come back
			next, silent = append(next, silent[0]), silent[1:]
		} else {
			break
		}
	}
	for len(next) > want || len(next) > 1 && len(next)%2 == 0 {
		next = shrink(members, next, voters, live)
	}
	switch {
	case len(next) == 0:
		return nil
	case !sameHosts(next, voters):
		return next
	case len(next) < want:
		return nil
	}
	swapped := shrink(members, next, next, func([16]byte) bool { return true })
	best := bestCandidate(members, swapped, func(h [16]byte) bool { return fresh(h) && !contains(next, h) })
	if best == nil || crowding(members, append(swapped, *best)) >= crowding(members, voters) {
		return nil
	}
	return append(swapped, *best)
}

func sameHosts(a, b [][16]byte) bool {
	return slices.Equal(sortedHosts(a), sortedHosts(b))
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

// bestCandidate is the member outside of voters, of those that may, that would
// be the least crowded among them; nil if there is none.
func bestCandidate(members []Member, voters [][16]byte, may func([16]byte) bool) *[16]byte {
	var best *[16]byte
	least := 0
	for i := range members {
		h := members[i].HostID
		if contains(voters, h) || !may(h) {
			continue
		}
		if n := crowding(members, append(slices.Clip(voters), h)); best == nil || n < least {
			best, least = &members[i].HostID, n
		}
	}
	return best
}

// shrink leaves one out: one that does not vote yet before one that does, one
// that is not live before one that is, then that without which the others are
// spread best.
func shrink(members []Member, next, voters [][16]byte, live func([16]byte) bool) [][16]byte {
	var rest [][16]byte
	least := 0
	for i, h := range next {
		others := slices.Delete(slices.Clone(next), i, i+1)
		n := crowding(members, others)
		if live(h) {
			n += 1 << 20
		}
		if contains(voters, h) {
			n += 1 << 21
		}
		if rest == nil || n < least {
			rest, least = others, n
		}
	}
	return rest
}
