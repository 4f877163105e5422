package metadata

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// State is what the entries up to Epoch add up to. It and all that it refers to
// are immutable.
type State struct {
	// Epoch is that of the last entry, whatever its kind.
	Epoch  uint64
	Schema *schema.Snapshot
	// Members are the nodes of the cluster, by host id.
	Members []Member
	// Placements says who holds what, by keyspace.
	Placements map[string]*ring.Placement
	// Level is the format level that nodes write.
	Level uint16
	// Voters agree on the entries; by host id.
	Voters [][16]byte
	// Generation counts forced recoveries, from 1.
	Generation uint16
	// UserTables tells whether there is a table: members neither join nor leave
	// then.
	UserTables bool

	at   position
	term uint64 // of the entry at, 0 before there are any of kind 3
	// outgoing vote too until the change of voters that is under way is over.
	outgoing [][16]byte
	// membersEpoch is when a member last came, went or moved.
	membersEpoch uint64
	forks        []fork
	recent       []decided // the last recentWindow entries that were proposed
}

// fork is where a generation began: entries of older generations with a higher
// index are not part of the history.
type fork struct {
	generation uint16
	index      uint64 // the last one of the generations before
}

// decided is what became of a proposal.
type decided struct {
	id    proposalID
	index uint64
	epoch uint64
	what  outcome
}

// recentWindow is for how many entries a proposal is remembered, so that its
// duplicate is found.
const recentWindow = 256

// maxVoters bounds who votes.
const maxVoters = 5

// outcome is what an entry did. On disk and on the wire, never renumber.
type outcome uint8

const (
	applied        outcome = 1 // it is in force
	moved          outcome = 2 // schema or members are not those it was checked against
	hasTables      outcome = 3 // members stay while there are user tables
	noMember       outcome = 4 // there is no such member, or it would be the last to go
	memberConflict outcome = 5 // its tokens or its number among voters are taken
	levelRefused   outcome = 6 // not above the active one, or not all members can
	schemaRefused  outcome = 7 // the change does not apply
	expired        outcome = 8 // too late to tell whether it has been applied before
	duplicate      outcome = 9 // applied before, under another index
)

// newState is the state before the first entry.
func newState(generation uint16) *State {
	s := &State{Generation: generation, Schema: schema.NewSnapshot()}
	s.seal()
	return s
}

// next is a copy of s for the entry that follows it.
func (s *State) next() *State {
	n := *s
	n.at.index++
	n.Epoch = n.epoch()
	return &n
}

func (s *State) epoch() uint64 { return uint64(s.Generation)<<48 | s.at.index }

// check asserts what holds between the parts of a state, and between it and the
// one before.
func (s *State) check(old *State) {
	if !invariant.Enabled {
		return
	}
	invariant.Check(s.Epoch > old.Epoch && s.Generation >= old.Generation, "metadata: epoch %x after %x", s.Epoch, old.Epoch)
	invariant.Check(s.Level >= old.Level, "metadata: level %d after %d", s.Level, old.Level)
	invariant.Check(len(s.Voters) <= maxVoters, "metadata: %d voters", len(s.Voters))
	for i := 1; i < len(s.Members); i++ {
		a, b := &s.Members[i-1].HostID, &s.Members[i].HostID
		invariant.Check(slices.Compare(a[:], b[:]) < 0, "metadata: member %x follows %x", *b, *a)
	}
	invariant.Check(ascend(s.Voters), "metadata: voters %x out of order", s.Voters)
	for name, p := range s.Placements {
		invariant.Check(s.Schema.Keyspaces[name] != nil, "metadata: keyspace %s is placed and is not there", name)
		for i := range p.Ranges {
			invariant.Check(p.Ranges[i].Changed <= s.Epoch, "metadata: owners of %s changed at %x, in epoch %x", name, p.Ranges[i].Changed, s.Epoch)
		}
	}
}

// seal derives what follows from the rest.
func (s *State) seal() {
	s.Epoch = s.epoch()
	s.Level = max(s.Level, level.First)
	s.UserTables = false
	for _, ks := range s.Schema.Keyspaces {
		s.UserTables = s.UserTables || len(ks.Tables) > 0
	}
	if len(s.Members) != 1 {
		return
	}
	if len(s.Voters) == 0 {
		s.Voters = [][16]byte{s.Members[0].HostID}
	}
	for name := range s.Schema.Keyspaces {
		if s.Placements[name] == nil {
			s.Placements = clonePlacements(s.Placements)
			s.Placements[name] = soleOwner(&s.Members[0])
		}
	}
}

// apply is the state after an entry, the same on every node. The error says
// that this node cannot follow, not that the entry was refused.
func (s *State) apply(e *entry) (*State, outcome, error) {
	n := s.next()
	n.at.hash = e.hash
	what := applied
	switch e.kind {
	case kindSchema:
		c, err := schema.DecodeChange(e.payload)
		if err != nil {
			return nil, 0, err
		}
		if n.Schema, err = s.Schema.Apply(c, n.Epoch); err != nil {
			return nil, 0, err
		}
		n.forgetDropped()
	case kindMember:
		m, err := decodeMember(e.payload)
		if err != nil {
			return nil, 0, err
		}
		// Snapshots without entries of kind 3 have no place for membersEpoch.
		n.Members = withMember(s.Members, m)
	case kindCommand:
		c, err := decodeCommand(e.payload)
		if err != nil {
			return nil, 0, err
		}
		if n, what, err = s.applyCommand(n, c); err != nil {
			return nil, 0, err
		}
	default:
		if e.flags&flagRequired != 0 {
			return nil, 0, fmt.Errorf("%w: entry of kind %d", ErrUnknownFeature, e.kind)
		}
	}
	n.seal()
	return n, what, nil
}

// applyCommand changes n, which is the copy of s for this entry.
func (s *State) applyCommand(n *State, c *command) (*State, outcome, error) {
	n.term = max(s.term, c.term)
	switch {
	case c.recovery != 0:
		if c.recovery <= s.Generation {
			return nil, 0, fmt.Errorf("%w: generation %d begins after %d", ErrCorrupt, c.recovery, s.Generation)
		}
		n.Generation, n.Voters, n.outgoing = c.recovery, c.voters, nil
		n.forks = append(slices.Clip(s.forks), fork{c.recovery, s.at.index})
		var err error
		n.Schema, err = s.Schema.SkipColumnIDs(schema.ColumnID(c.skipped), n.epoch())
		return n, applied, err
	case c.voters != nil:
		n.Voters, n.outgoing = c.voters, c.outgoing
		return n, applied, nil
	case c.leave:
		n.outgoing = nil
		return n, applied, nil
	case c.id == (proposalID{}):
		return n, applied, nil
	case s.decision(c.id) != nil:
		return n, duplicate, nil
	}
	what := n.execute(c)
	if what != applied {
		// What a refused command did to the copy is dropped with it.
		hash, term := n.at.hash, n.term
		n = s.next()
		n.at.hash, n.term = hash, term
	}
	n.recent = append(slices.Clone(s.recent), decided{c.id, n.at.index, n.epoch(), what})
	for n.recent[0].index+recentWindow <= n.at.index {
		n.recent = n.recent[1:]
	}
	return n, what, nil
}

// decision is what became of a proposal, or nil if that is not known.
func (s *State) decision(id proposalID) *decided {
	for i := range s.recent {
		if s.recent[i].id == id {
			return &s.recent[i]
		}
	}
	return nil
}

// execute does what a proposal asks for, or tells why not.
func (s *State) execute(c *command) outcome {
	before := s.at.index - 1
	if c.base+recentWindow <= before {
		return expired
	}
	inPlace := false // a member that only changes its address or levels
	if c.member != nil {
		i, found := memberAt(s.Members, c.member.HostID)
		inPlace = found && s.Members[i].samePlace(c.member)
	}
	if !inPlace && c.level == 0 && (c.schemaEpoch != s.Schema.Epoch || c.membersEpoch != s.membersEpoch) {
		return moved
	}
	switch {
	case c.change != nil:
		return s.changeSchema(c)
	case c.member != nil:
		return s.registerMember(c, inPlace)
	case c.removed != nil:
		return s.removeMember(c)
	case c.level != 0:
		return s.raiseLevel(c.level)
	}
	return applied
}

func (s *State) changeSchema(c *command) outcome {
	changed, err := s.Schema.Apply(*c.change, s.Epoch)
	if err != nil {
		return schemaRefused
	}
	s.Schema = changed
	s.place(c)
	return applied
}

// place takes over placements, with the epochs of their last changes.
func (s *State) place(c *command) {
	before := s.Placements
	s.Placements = clonePlacements(before)
	for name, p := range c.placements {
		s.Placements[name] = changedAt(p, before[name], s.Epoch)
	}
	s.forgetDropped()
}

func clonePlacements(p map[string]*ring.Placement) map[string]*ring.Placement {
	if p == nil {
		return map[string]*ring.Placement{}
	}
	return maps.Clone(p)
}

// forgetDropped removes placements of keyspaces that are not there.
func (s *State) forgetDropped() {
	gone := func(name string, _ *ring.Placement) bool { return s.Schema.Keyspaces[name] == nil }
	for name, p := range s.Placements {
		if gone(name, p) {
			s.Placements = maps.Clone(s.Placements)
			maps.DeleteFunc(s.Placements, gone)
			return
		}
	}
}

func (s *State) registerMember(c *command, inPlace bool) outcome {
	m := c.member
	if max(m.HighestLevel, level.First) < s.Level {
		return levelRefused
	}
	if !inPlace {
		if s.UserTables {
			return hasTables
		}
		for i := range s.Members {
			if s.Members[i].conflicts(m) {
				return memberConflict
			}
		}
	}
	s.putMember(m)
	if !inPlace {
		s.place(c)
	}
	return applied
}

// conflicts tells whether two members cannot be in one cluster.
func (m *Member) conflicts(o *Member) bool {
	if m.HostID == o.HostID {
		return false
	}
	return raftID(m.HostID) == raftID(o.HostID) ||
		slices.ContainsFunc(m.Tokens, func(t ring.Token) bool { return slices.Contains(o.Tokens, t) })
}

func (s *State) putMember(m *Member) {
	i, found := memberAt(s.Members, m.HostID)
	if !found || !s.Members[i].samePlace(m) {
		s.membersEpoch = s.Epoch
	}
	s.Members = withMember(s.Members, *m)
}

func (s *State) removeMember(c *command) outcome {
	if _, found := memberAt(s.Members, *c.removed); !found || len(s.Members) == 1 {
		return noMember
	}
	if s.UserTables {
		return hasTables
	}
	s.Members = withoutMember(s.Members, *c.removed)
	s.membersEpoch = s.Epoch
	s.place(c)
	return applied
}

// Reachable is the highest format level that all members can write.
func (s *State) Reachable() uint16 {
	reachable := uint16(math.MaxUint16)
	for i := range s.Members {
		reachable = min(reachable, max(s.Members[i].HighestLevel, level.First))
	}
	return reachable
}

func (s *State) raiseLevel(to uint16) outcome {
	if to <= s.Level || to > s.Reachable() {
		return levelRefused
	}
	s.Level = to
	return applied
}
