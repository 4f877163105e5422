package metadata

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// table creates a table in keyspace k0.
func table() schema.Change {
	return schema.Change{Kind: schema.CreateTable, Table: &schema.Table{
		ID: schema.TableID{1}, Keyspace: "k0", Name: "t", NextColumnID: 2,
		PartitionKey: []*schema.Column{{ID: 1, Name: "k", Type: schema.TypeInt, Kind: schema.PartitionKey}},
	}}
}

// commands applies commands one after the other, as a log would.
type commands struct {
	t  testing.TB
	h  *history
	s  *State
	id int
}

func newCommands(t testing.TB) *commands {
	h, s, err := openHistory(vfs.NewMem(), dir, 100, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	return &commands{t: t, h: h, s: s}
}

// stamped gives a command an id and the epochs of the state.
func (c *commands) stamped(cmd command) *command {
	c.id++
	cmd.term, cmd.id, cmd.proposer = 1, proposalID{byte(c.id), byte(c.id >> 8), 1}, hostN(0)
	cmd.base, cmd.schemaEpoch, cmd.membersEpoch = c.s.at.index, c.s.Schema.Epoch, c.s.membersEpoch
	return &cmd
}

func (c *commands) do(cmd *command) outcome {
	c.t.Helper()
	next, what, err := c.h.append(c.s, kindCommand, cmd.proposer, appendCommand(nil, cmd))
	if err != nil {
		c.t.Fatal(err)
	}
	c.s = next
	return what
}

// expect does a command and wants that outcome.
func (c *commands) expect(what outcome, cmd *command) {
	c.t.Helper()
	if got := c.do(cmd); got != what {
		c.t.Errorf("outcome %d, want %d", got, what)
	}
}

func TestCommandOutcomes(t *testing.T) {
	c := newCommands(t)
	for i := range 3 {
		m := memberN(i)
		c.expect(applied, c.stamped(command{member: &m}))
	}
	k0, k1 := keyspace(0), keyspace(1)
	stale := c.stamped(command{change: &k1})
	first := c.stamped(command{change: &k0})
	if first.placements, _ = place(c.s.Members, k0.Keyspace); first.placements["k0"] == nil {
		t.Fatal("no placement")
	}
	c.expect(applied, first)
	if p := c.s.Placements["k0"]; len(p.Ranges) != 6 || p.Ranges[0].Changed != c.s.Epoch {
		t.Errorf("%+v", p)
	}
	c.expect(moved, stale)
	c.expect(duplicate, first)
	if d := c.s.decision(first.id); d == nil || d.what != applied || d.epoch != c.s.Epoch-2 {
		t.Errorf("%+v", d)
	}
	c.expect(schemaRefused, c.stamped(command{change: &k0}))
	thief, twin := memberN(3), memberN(4)
	thief.Tokens = memberN(1).Tokens
	c.expect(memberConflict, c.stamped(command{member: &thief}))
	twin.HostID = [16]byte{8: 1, 7: 0x40} // the number of node 0
	if raftID(twin.HostID) != raftID(hostN(0)) {
		t.Fatal("not a twin")
	}
	c.expect(memberConflict, c.stamped(command{member: &twin}))
	gone, unknown := hostN(2), hostN(9)
	c.expect(noMember, c.stamped(command{removed: &unknown}))
	c.expect(applied, c.stamped(command{removed: &gone}))
	if len(c.s.Members) != 2 {
		t.Errorf("%d members", len(c.s.Members))
	}

	create := table()
	c.expect(applied, c.stamped(command{change: &create}))
	if !c.s.UserTables {
		t.Error("no user table")
	}
	m3, m0 := memberN(3), memberN(0)
	c.expect(hasTables, c.stamped(command{member: &m3}))
	gone = hostN(1)
	c.expect(hasTables, c.stamped(command{removed: &gone}))
	m0.Address = "elsewhere:7000"
	late := c.stamped(command{member: &m0})
	late.schemaEpoch = 1 // an address does not depend on it
	c.expect(applied, late)
	m0.Tokens = []ring.Token{77}
	c.expect(hasTables, c.stamped(command{member: &m0}))
	if m := c.s.Members[0]; m.Address != "elsewhere:7000" || m.Tokens[0] == 77 {
		t.Errorf("%+v", m)
	}

	c.expect(levelRefused, c.stamped(command{level: 1}))
	c.expect(levelRefused, c.stamped(command{level: 2}))
	if got := c.s.Reachable(); got != 1 {
		t.Errorf("level %d can be reached", got)
	}
	for i := range 2 {
		m := memberN(i)
		m.HighestLevel = 2
		c.expect(applied, c.stamped(command{member: &m}))
	}
	c.expect(applied, c.stamped(command{level: 2}))
	old := memberN(0)
	c.expect(levelRefused, c.stamped(command{member: &old}))
	c.expect(levelRefused, c.stamped(command{level: 1}))
	if c.s.Level != 2 || c.s.Reachable() != 2 {
		t.Errorf("level %d", c.s.Level)
	}

	drop := schema.Change{Kind: schema.DropKeyspace, Keyspace: &schema.Keyspace{Name: "k0"}}
	c.expect(applied, c.stamped(command{change: &drop}))
	if c.s.UserTables || len(c.s.Placements) != 0 {
		t.Errorf("%+v", c.s)
	}
}

// TestProposalsAreRememberedForAWhile fills the window of proposals: a copy is
// found within it and refused behind it.
func TestProposalsAreRememberedForAWhile(t *testing.T) {
	c := newCommands(t)
	m := memberN(0)
	c.expect(applied, c.stamped(command{member: &m}))
	level := uint16(7)
	first := c.stamped(command{level: level})
	c.expect(levelRefused, first)
	for range recentWindow {
		c.expect(levelRefused, c.stamped(command{level: level}))
		if len(c.s.recent) > recentWindow {
			t.Fatalf("%d proposals are remembered", len(c.s.recent))
		}
	}
	c.expect(expired, first)
}

func TestChangedEpochs(t *testing.T) {
	a, b := [][16]byte{hostN(0)}, [][16]byte{hostN(1)}
	build := func(ends []ring.Token, owners ...[][16]byte) *ring.Placement {
		p := &ring.Placement{}
		start := ends[len(ends)-1]
		for i, end := range ends {
			p.Ranges = append(p.Ranges, ring.PlacedRange{Range: ring.Range{Start: start, End: end}, Replicas: owners[i]})
			start = end
		}
		return p
	}
	epochs := func(p *ring.Placement) (e []uint64) {
		for _, r := range p.Ranges {
			e = append(e, r.Changed)
		}
		return e
	}
	p := changedAt(build([]ring.Token{0, 100}, a, b), nil, 1)
	for i, step := range []struct {
		next *ring.Placement
		want string
	}{
		{build([]ring.Token{0, 100}, a, b), "[1 1]"},
		{build([]ring.Token{0, 50, 100}, a, b, b), "[1 1 1]"},
		{build([]ring.Token{0, 50, 100}, a, a, b), "[1 4 1]"},
		{build([]ring.Token{0, 100}, a, b), "[1 5]"},
		{build([]ring.Token{70}, a), "[6]"},
		{build([]ring.Token{70}, a), "[6]"},
		{build([]ring.Token{-5, 70, 90}, b, a, a), "[8 6 6]"},
		{build([]ring.Token{80}, b), "[9]"},
		{build([]ring.Token{0, 10, 20}, b, b, b), "[9 9 9]"},
	} {
		epoch := uint64(i + 2)
		p = changedAt(step.next, p, epoch)
		if got := fmt.Sprint(epochs(p)); got != step.want {
			t.Errorf("epoch %d: %s, want %s", epoch, got, step.want)
		}
	}
}

// everyCommand is one command of each kind, all fields set.
func everyCommand() []*command {
	m, host, change := memberN(1), hostN(2), keyspace(0)
	m.NativeAddress, m.LowestLevel = "10.0.0.2:9042", 1
	p, _ := place([]Member{memberN(0), memberN(1)}, change.Keyspace, keyspace(1).Keyspace)
	voters := [][16]byte{hostN(0), hostN(1)}
	stamped := func(c command) *command {
		c.term, c.id, c.proposer, c.base, c.schemaEpoch, c.membersEpoch = 3, proposalID{1, 2}, hostN(0), 4, 5, 6
		return &c
	}
	return []*command{
		{term: 9},
		stamped(command{change: &change, placements: p}),
		stamped(command{member: &m, placements: p}),
		stamped(command{removed: &host}),
		stamped(command{level: 2}),
		{term: 3, voters: voters, outgoing: voters[:1]},
		{term: 3, leave: true},
		{term: 3, voters: voters, recovery: 2},
		{term: 3, voters: voters, recovery: 3, skipped: lostColumns},
	}
}

// everyState is a state with all that a snapshot can hold.
func everyState(t testing.TB) *State {
	c := newCommands(t)
	for _, cmd := range everyCommand() {
		cmd.term, cmd.schemaEpoch, cmd.membersEpoch, cmd.base = 3, c.s.Schema.Epoch, c.s.membersEpoch, c.s.at.index
		if cmd.id != (proposalID{}) {
			c.id++
			cmd.id[2] = byte(c.id)
		}
		c.do(cmd)
	}
	c.do(&command{term: 4, voters: [][16]byte{hostN(1)}, outgoing: [][16]byte{hostN(0), hostN(1)}})
	return c.s
}

func TestSnapshotRoundTrip(t *testing.T) {
	s := everyState(t)
	if len(s.outgoing) == 0 || len(s.forks) == 0 || len(s.recent) == 0 || len(s.Placements) == 0 || s.term == 0 {
		t.Fatalf("%+v", s)
	}
	p := appendSnapshot(nil, s)
	again, err := readSnapshot("f", p)
	if err != nil {
		t.Fatal(err)
	}
	if q := appendSnapshot(nil, again); string(q) != string(p) {
		t.Error("a snapshot is not what was read from it")
	}
	if again.Schema.Version != s.Schema.Version {
		t.Error("another schema")
	}
	again.Schema = s.Schema
	if !reflect.DeepEqual(again, s) {
		t.Errorf("%+v became %+v", s, again)
	}
}

// TestSnapshotWithVotersOutOfOrder refuses what the next entry would trip over.
func TestSnapshotWithVotersOutOfOrder(t *testing.T) {
	mixed := [][16]byte{hostN(1), hostN(0)}
	for i, set := range []func(*State){
		func(s *State) { s.Voters = mixed },
		func(s *State) { s.Voters = [][16]byte{hostN(0), hostN(0)} },
		func(s *State) { s.outgoing = mixed },
	} {
		s := everyState(t)
		set(s)
		if _, err := readSnapshot("f", appendSnapshot(nil, s)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestSnapshotWithStrangePlacements refuses what the next entry would trip over.
func TestSnapshotWithStrangePlacements(t *testing.T) {
	for i, set := range []func(*State, *ring.Placement){
		func(s *State, p *ring.Placement) { s.Placements["nowhere"] = p },
		func(s *State, p *ring.Placement) { p.Ranges[0].Changed = s.Epoch + 1 },
	} {
		s := everyState(t)
		s.Placements = clonePlacements(s.Placements)
		for name, p := range s.Placements {
			n := &ring.Placement{Ranges: slices.Clone(p.Ranges)}
			s.Placements[name] = n
			set(s, n)
			break
		}
		if _, err := readSnapshot("f", appendSnapshot(nil, s)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestGoldenCommands(t *testing.T) {
	var b strings.Builder
	for _, c := range everyCommand() {
		p := appendCommand(nil, c)
		b.WriteString(hex.Dump(p) + "\n")
		again, err := decodeCommand(p)
		if err != nil {
			t.Fatal(err)
		}
		if q := appendCommand(nil, again); string(q) != string(p) {
			t.Errorf("%x became %x", p, q)
		}
	}
	golden(t, "testdata/commands.txt", b.String())
	golden(t, "testdata/snapshot.txt", hex.Dump(appendSnapshot(nil, everyState(t))))
	a := answer{code: answerDecided, what: applied, epoch: 0x1000000000005, leader: hostN(1)}
	golden(t, "testdata/answer.txt", hex.Dump(appendAnswer(nil, &a)))
}

func TestCommandsThatDoNotHoldTogether(t *testing.T) {
	host, m := hostN(0), memberN(0)
	voters := [][16]byte{host}
	for i, c := range []*command{
		{removed: &host, member: &m},
		{voters: voters, level: 2},
		{outgoing: voters},
		{recovery: 2},
		{voters: voters, skipped: 1},
		{recovery: 2, voters: voters, skipped: maxSkipped + 1},
		{recovery: 2, voters: voters, leave: true},
		{voters: make([][16]byte, maxVoters+1)},
		{voters: [][16]byte{hostN(1), host}},
		{voters: [][16]byte{host, host}},
		{voters: voters, outgoing: [][16]byte{hostN(1), host}},
	} {
		if _, err := decodeCommand(appendCommand(nil, c)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, err := decodeCommand(appendField(nil, 99, nil)); !errors.Is(err, ErrUnknownFeature) {
		t.Error(err)
	}
	if _, err := decodeCommand(appendOptional(nil, 99, nil)); err != nil {
		t.Error(err)
	}
}

// TestPlacementOnAHostTwice refuses what would be encoded as something that
// cannot be read: fewer hosts than replicas.
func TestPlacementOnAHostTwice(t *testing.T) {
	p := &ring.Placement{Ranges: []ring.PlacedRange{{Range: ring.Range{End: 1}, Replicas: [][16]byte{hostN(0), hostN(1)}}}}
	for i, same := range []func(b []byte){
		func(b []byte) { b[len(b)-1] = b[len(b)-2] }, // one number twice
		func(b []byte) { copy(b[17:], b[1:17]) },     // one host under two numbers
	} {
		b := appendPlacement(nil, p)
		r := encoding.NewReader(b)
		if _, err := readPlacement(&r); err != nil {
			t.Fatal(err)
		}
		same(b)
		r = encoding.NewReader(b)
		if _, err := readPlacement(&r); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func FuzzCommand(f *testing.F) {
	for _, c := range everyCommand() {
		f.Add(appendCommand(nil, c))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		c, err := decodeCommand(p)
		if err != nil {
			if !refused(err) {
				t.Fatal(err)
			}
			return
		}
		q := appendCommand(nil, c)
		again, err := decodeCommand(q)
		if err != nil || string(appendCommand(nil, again)) != string(q) {
			t.Fatalf("%x: %v", q, err)
		}
	})
}

// FuzzApply applies any bytes as a command: an error, or a state that a snapshot
// can hold.
func FuzzApply(f *testing.F) {
	for _, c := range everyCommand() {
		f.Add(appendCommand(nil, c), uint64(0))
	}
	f.Fuzz(func(t *testing.T, p []byte, epoch uint64) {
		c := newCommands(t)
		m := memberN(0)
		c.expect(applied, c.stamped(command{member: &m}))
		k0 := keyspace(0)
		c.expect(applied, c.stamped(command{change: &k0}))
		next, _, err := c.h.append(c.s, kindCommand, hostN(0), p)
		if err != nil {
			if !refused(err) {
				t.Fatal(err)
			}
			return
		}
		if _, err := readSnapshot("f", appendSnapshot(nil, next)); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzDecodePull(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte{3})
	f.Add(appendSnapshot([]byte{byte(pullSnapshot)}, everyState(f)))
	c := newCommands(f)
	m := memberN(0)
	c.do(c.stamped(command{member: &m}))
	f.Add(append([]byte{byte(pullEntries)}, c.h.tail[0].bytes...))
	f.Fuzz(func(t *testing.T, p []byte) {
		r, err := decodePull(p)
		if err != nil {
			if !refused(err) {
				t.Fatal(err)
			}
			return
		}
		if a, err := decodeAnswer(p); err == nil && string(appendAnswer(nil, &a)) != string(p) {
			t.Fatalf("%x", p)
		}
		l, err := OpenReplicated(vfs.NewMem(), dir, ReplicatedOptions{HostID: hostN(0), Generation: 1, Joined: p})
		if err != nil {
			return
		}
		if r.snapshot == nil || l.Epoch() != r.snapshot.Epoch {
			t.Fatal("another state")
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
