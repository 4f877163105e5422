package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/vfs"
)

const (
	tickEvery      = 100 * time.Millisecond
	heartbeatTicks = 3
	electionTicks  = 15 // to twice of it, by chance

	maxRaftMessage  = 1 << 20
	maxRaftInflight = 64

	// compactRaftAfter and compactRaftBytes are after how many records or bytes
	// the core's file is written anew, without all but the last keepRaftEntries,
	// of at most keepRaftBytes, that are applied.
	compactRaftAfter = 512
	compactRaftBytes = 8 << 20
	keepRaftEntries  = 128
	keepRaftBytes    = 4 << 20
)

// eventKind tells what an event asks the core for.
type eventKind uint8

const (
	eventMessage eventKind = iota
	eventPropose
	eventPulled
)

// event is something that happens to the core. Reply, if not nil, has room for
// the one answer.
type event struct {
	kind    eventKind
	message raftpb.Message
	command *command
	data    []byte // of command
	pulled  *pulled
	reply   chan answer
}

// core drives the raft library and owns the files: what it says is durable
// before anyone hears of it.
//
// Thread safety: none; run's goroutine owns it.
type core struct {
	l       *Replicated
	history *history
	file    raftFile
	self    uint64

	node    *raft.RawNode // nil while this node is no voter
	storage *raftStorage
	hard    raftpb.HardState
	leads   bool
	// generation is that of what node votes about.
	generation uint16
	applied    uint64 // by the library; the history may be ahead
	compacted  int64  // size of the file when it was last written anew

	waiting map[proposalID]chan answer
	heard   map[uint64]time.Duration // when a voter was last heard
	ticks   int
	failed  bool
}

// raftStorage is what the library reads: entries in memory, and the state as
// the snapshot.
type raftStorage struct {
	*raft.MemoryStorage
	core *core
}

// Snapshot implements raft.Storage.
func (s raftStorage) Snapshot() (raftpb.Snapshot, error) {
	st := s.core.l.state.Load()
	return raftpb.Snapshot{
		Data:     appendSnapshot(nil, st),
		Metadata: raftpb.SnapshotMetadata{Index: st.at.index, Term: max(st.term, 1), ConfState: *confState(st)},
	}, nil
}

func confState(s *State) *raftpb.ConfState {
	cs := &raftpb.ConfState{AutoLeave: len(s.outgoing) > 0}
	for _, h := range s.Voters {
		cs.Voters = append(cs.Voters, raftID(h))
	}
	for _, h := range s.outgoing {
		cs.VotersOutgoing = append(cs.VotersOutgoing, raftID(h))
	}
	return cs
}

// openCore reads the core's file, if there is one.
func openCore(l *Replicated, h *history, s *State) (*core, error) {
	c := &core{l: l, history: h, self: raftID(l.opts.HostID), waiting: map[proposalID]chan answer{}, heard: map[uint64]time.Duration{}}
	c.file = raftFile{fs: h.fs, dir: h.dir, warn: h.warn}
	base, entries, err := c.file.load()
	if err != nil {
		return nil, errors.Join(err, c.file.close())
	}
	if base == nil { // an empty one, so that the loss of one can be told from never having voted
		err = c.file.replace(&raftBase{generation: s.Generation}, nil)
	}
	if err != nil || base == nil || base.term == 0 {
		return c, err
	}
	if err := c.begin(s, base, entries); err != nil {
		return nil, errors.Join(err, c.file.close())
	}
	return c, nil
}

// begin makes the library's node over what the files say. Base is nil if there
// was no file.
func (c *core) begin(s *State, base *raftBase, entries []raftpb.Entry) error {
	if base != nil && base.generation == s.Generation && base.index > s.at.index {
		return &CorruptError{raftName(c.history.dir, c.file.number), 16, fmt.Sprintf("begins after entry %d, the log ends with %d", base.index, s.at.index)}
	}
	if base == nil || base.generation != s.Generation || base.termAt(entries, s.at.index) != max(s.term, 1) {
		// The history holds what was agreed on, perhaps while this node was behind
		// with entries of its own: there is nothing to vote about.
		fresh := &raftBase{generation: s.Generation, index: s.at.index, term: max(s.term, 1)}
		fresh.hard.Term = fresh.term
		if base != nil && base.generation == s.Generation && base.hard.Term >= fresh.term {
			fresh.hard = base.hard
		}
		if err := c.file.replace(fresh, nil); err != nil {
			return fmt.Errorf("metadata: %w", err)
		}
		base, entries = fresh, nil
	}
	c.hard = base.hard
	c.hard.Commit = s.at.index
	c.storage = &raftStorage{raft.NewMemoryStorage(), c}
	start := raftpb.SnapshotMetadata{Index: base.index, Term: base.term, ConfState: *confState(s)}
	err := errors.Join(c.storage.ApplySnapshot(raftpb.Snapshot{Metadata: start}), c.storage.Append(entries), c.storage.SetHardState(c.hard))
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	c.applied, c.generation = s.at.index, s.Generation
	return c.guard(func() (err error) {
		c.node, err = raft.NewRawNode(&raft.Config{
			ID: c.self, ElectionTick: electionTicks, HeartbeatTick: heartbeatTicks,
			Storage: c.storage, Applied: c.applied,
			MaxSizePerMsg: maxRaftMessage, MaxInflightMsgs: maxRaftInflight, MaxUncommittedEntriesSize: 2 * maxPayload,
			CheckQuorum: true, PreVote: true, DisableProposalForwarding: true, StepDownOnRemoval: true,
			Logger: quiet{},
		})
		return err
	})
}

// termAt is the term of an entry, 0 if it is not there.
func (b *raftBase) termAt(entries []raftpb.Entry, index uint64) uint64 {
	switch {
	case index == b.index:
		return b.term
	case index < b.index || index > b.index+uint64(len(entries)):
		return 0
	}
	return entries[index-b.index-1].Term
}

// votes tells whether the host is a voter.
func (s *State) votes(host [16]byte) bool {
	return contains(s.Voters, host) || contains(s.outgoing, host)
}

func contains(hosts [][16]byte, host [16]byte) bool {
	for i := range hosts {
		if hosts[i] == host {
			return true
		}
	}
	return false
}

// guard runs part of the library. It panics when what a peer says cannot be, as
// after the loss of a disk: the log stops, the process does not.
func (c *core) guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: raft: %v", ErrStopped, p)
		}
	}()
	return f()
}

// run is the goroutine of the core, until the log closes or fails.
func (c *core) run() {
	defer c.dismiss()
	c.history.patience, c.file.patience = c.awaitSpace, c.awaitSpace
	var pace pace
	defer pace.stop()
	if s := c.l.state.Load(); c.node == nil && s.votes(c.l.opts.HostID) {
		c.check(c.begin(s, nil, nil))
	}
	c.check(c.alone())
	for {
		c.check(c.settle())
		c.check(c.history.stopped) // by the snapshot after the last entry
		pace.set(c.l.clock, c.needsTicks())
		select {
		case <-c.l.closing:
			return
		case <-pace.ticks:
			c.check(c.tick())
		case e := <-c.l.events:
			c.check(c.handle(&e))
			c.drain()
		}
	}
}

// needsTicks tells whether time is of any meaning: to voters, unless nobody else
// is there. The others have nothing to do but what comes.
func (c *core) needsTicks() bool {
	if c.node == nil || c.failed {
		return false
	}
	s := c.l.state.Load()
	return !c.leads || len(s.Members) > 1 || len(s.Voters) > 1 || len(s.outgoing) > 0
}

// pace is a ticker while one is needed.
type pace struct {
	ticker clock.Ticker
	ticks  <-chan time.Time // nil without
}

func (p *pace) set(c clock.Clock, needed bool) {
	switch {
	case needed && p.ticker == nil:
		p.ticker = c.NewTicker(tickEvery)
		p.ticks = p.ticker.C()
	case !needed:
		p.stop()
	}
}

func (p *pace) stop() {
	if p.ticker != nil {
		p.ticker.Stop()
	}
	p.ticker, p.ticks = nil, nil
}

// drain handles what else has come, so that one write serves all of it.
func (c *core) drain() {
	for range maxEvents {
		select {
		case e := <-c.l.events:
			c.check(c.handle(&e))
		default:
			return
		}
	}
}

// check stops the log for good on the first error, and tells of it, unless it is
// that the disk was full until the log closed. What a peer said does not end the
// process: a restart would meet it again.
func (c *core) check(err error) {
	if err == nil || c.failed {
		return
	}
	c.failed = true
	select {
	case <-c.l.closing:
		if errors.Is(err, vfs.ErrNoSpace) {
			return
		}
	default:
	}
	if !errors.Is(err, ErrStopped) {
		err = fmt.Errorf("%w: %w", ErrStopped, err)
	}
	c.l.fail(err, c.history.stopped != nil || c.file.stopped != nil)
	c.dismiss()
}

// alone makes the only voter the leader at once: nobody could object.
func (c *core) alone() error {
	s := c.l.state.Load()
	if c.node == nil || len(s.Voters) != 1 || len(s.outgoing) > 0 || s.Voters[0] != c.l.opts.HostID {
		return nil
	}
	return c.guard(c.node.Campaign)
}

// handle does what one event asks for.
func (c *core) handle(e *event) error {
	if c.failed {
		if e.reply != nil {
			e.reply <- answer{code: answerRetry}
		}
		return nil
	}
	switch e.kind {
	case eventMessage:
		return c.step(e.message)
	case eventPropose:
		return c.propose(e)
	default:
		err := c.takeOver(e.pulled)
		e.reply <- answer{err: err}
		if errors.Is(err, ErrStopped) {
			return err
		}
		return nil
	}
}

// step gives the library a peer's message.
func (c *core) step(m raftpb.Message) error {
	if c.node == nil {
		if raft.IsResponseMsg(m.Type) {
			return nil
		}
		// A leader has made this node a voter before the entry that says so came.
		if err := c.begin(c.l.state.Load(), nil, nil); err != nil {
			return err
		}
	}
	c.heard[m.From] = c.l.clock.Mono()
	return c.guard(func() error {
		if err := c.node.Step(m); err != nil && !errors.Is(err, raft.ErrStepPeerNotFound) && !errors.Is(err, raft.ErrProposalDropped) {
			c.l.opts.Warn(fmt.Sprintf("metadata: message of a voter: %v", err))
		}
		return nil
	})
}

// propose appends a command to the leader's log.
func (c *core) propose(e *event) error {
	s := c.l.state.Load()
	id := e.command.id
	if d := s.decision(id); d != nil {
		e.reply <- answer{code: answerDecided, what: d.what, epoch: d.epoch}
		return nil
	}
	if !c.leads {
		e.reply <- answer{code: answerNotLeader, leader: c.l.lastLeader()}
		return nil
	}
	if first, found := c.waiting[id]; found {
		first <- answer{code: answerRetry}
		c.waiting[id] = e.reply
		return nil
	}
	if len(c.waiting) >= maxProposals {
		e.reply <- answer{code: answerRetry}
		return nil
	}
	return c.guard(func() error {
		if err := c.node.Propose(e.data); err != nil {
			e.reply <- answer{code: answerRetry}
			return nil
		}
		c.waiting[id] = e.reply
		return nil
	})
}

// dismiss tells all proposers that they must try again.
func (c *core) dismiss() {
	for id, reply := range c.waiting {
		reply <- answer{code: answerRetry}
		delete(c.waiting, id)
	}
}

// settle makes durable, sends and applies what the library has ready.
func (c *core) settle() error {
	for c.node != nil && !c.failed && c.node.HasReady() {
		var rd raft.Ready
		if err := c.guard(func() error { rd = c.node.Ready(); return nil }); err != nil {
			return err
		}
		if rd.SoftState != nil {
			c.follow(rd.SoftState)
		}
		if err := c.persist(&rd); err != nil {
			return err
		}
		c.send(rd.Messages)
		for i := range rd.CommittedEntries {
			if err := c.apply(&rd.CommittedEntries[i]); err != nil {
				return err
			}
		}
		err := c.guard(func() error {
			c.node.Advance(rd)
			for i := range rd.Messages {
				if rd.Messages[i].Type == raftpb.MsgSnap {
					// Lost or not: the next answer of the follower tells.
					c.node.ReportSnapshot(rd.Messages[i].To, raft.SnapshotFinish)
				}
			}
			return nil
		})
		if err == nil {
			err = c.compact()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// follow notes who leads.
func (c *core) follow(soft *raft.SoftState) {
	led := c.leads
	if c.leads = soft.RaftState == raft.StateLeader; !c.leads {
		c.dismiss()
	} else if !led {
		clear(c.heard) // voters talk to their leader only
	}
	if host, ok := c.hostOf(soft.Lead); ok {
		c.l.leader.Store(&host)
	}
}

// hostOf is the host that has a number among voters.
func (c *core) hostOf(id uint64) (host [16]byte, ok bool) {
	s := c.l.state.Load()
	for i := range s.Members {
		if raftID(s.Members[i].HostID) == id {
			return s.Members[i].HostID, true
		}
	}
	for _, h := range append(s.outgoing[:len(s.outgoing):len(s.outgoing)], s.Voters...) {
		if raftID(h) == id {
			return h, true
		}
	}
	return host, false
}

// persist writes what must be on disk before messages go out.
func (c *core) persist(rd *raft.Ready) error {
	if !raft.IsEmptyHardState(rd.HardState) {
		c.hard = rd.HardState
	}
	if !raft.IsEmptySnap(rd.Snapshot) {
		if err := c.install(&rd.Snapshot); err != nil {
			return err
		}
	}
	if rd.MustSync && !fail.Mutant("vote-before-write") {
		if err := c.file.write(c.hard, rd.Entries); err != nil {
			return err
		}
	}
	return errors.Join(c.storage.Append(rd.Entries), c.storage.SetHardState(c.hard))
}

// send hands messages to the network, each with the generation in front.
func (c *core) send(messages []raftpb.Message) {
	generation := c.l.state.Load().Generation
	for i := range messages {
		host, ok := c.hostOf(messages[i].To)
		if !ok {
			continue
		}
		body, err := messages[i].Marshal()
		if err != nil {
			c.l.opts.Warn(fmt.Sprintf("metadata: encode a message: %v", err))
			continue
		}
		c.l.network.Send(host, append(binary.LittleEndian.AppendUint16(nil, generation), body...))
	}
}

// Step takes a message that a peer's Network.Send was given. It does not block:
// what cannot be queued is dropped.
func (l *Replicated) Step(from [16]byte, msg []byte) error {
	if len(msg) < 2 {
		return fmt.Errorf("%w: message of %d bytes", ErrCorrupt, len(msg))
	}
	if g := binary.LittleEndian.Uint16(msg); g != l.state.Load().Generation {
		return nil // of before a forced recovery, or after one not yet heard of
	}
	var m raftpb.Message
	if err := m.Unmarshal(msg[2:]); err != nil {
		return fmt.Errorf("%w: message: %v", ErrCorrupt, err)
	}
	if m.From != raftID(from) || m.To != raftID(l.opts.HostID) || raft.IsLocalMsg(m.Type) || m.Type == raftpb.MsgProp {
		return fmt.Errorf("%w: message %s from %x to %x", ErrCorrupt, m.Type, m.From, m.To)
	}
	select {
	case l.events <- event{kind: eventMessage, message: m}:
	default:
	}
	return nil
}

// compact writes the core's file anew once it has grown.
func (c *core) compact() error {
	if c.file.records < compactRaftAfter && c.file.size < max(compactRaftBytes, 2*c.compacted) {
		return nil
	}
	first, err := c.storage.FirstIndex()
	if err != nil {
		return err
	}
	last, err := c.storage.LastIndex()
	if err != nil {
		return err
	}
	var entries []raftpb.Entry
	if last >= first {
		if entries, err = c.storage.Entries(first, last+1, 1<<62); err != nil {
			return fmt.Errorf("metadata: %w", err)
		}
	}
	index, size := c.applied, 0 // the last one to leave out
	for index >= first && c.applied-index < keepRaftEntries && size < keepRaftBytes {
		size += len(entries[index-first].Data)
		index--
	}
	term, err := c.storage.Term(index)
	if err != nil {
		return fmt.Errorf("metadata: term of entry %d: %w", index, err)
	}
	base := &raftBase{generation: c.generation, index: index, term: term, hard: c.hard}
	if err := c.file.replace(base, entries[index+1-first:]); err != nil {
		return err
	}
	c.compacted = c.file.size
	if index < first {
		return nil
	}
	return c.storage.Compact(index)
}

// tick moves the library's time on.
func (c *core) tick() error {
	if c.failed || c.node == nil {
		return nil
	}
	c.ticks++
	err := c.guard(func() error { c.node.Tick(); return nil })
	if err == nil && c.leads && c.ticks%votersEveryTicks == 0 {
		err = c.reviseVoters()
	}
	return err
}

func (c *core) close() error { return errors.Join(c.history.close(), c.file.close()) }

// quiet is the library's logger: what it has to say is in its messages. What
// cannot be is a panic, which guard catches.
type quiet struct{}

func (quiet) Debug(...any)            {}
func (quiet) Debugf(string, ...any)   {}
func (quiet) Info(...any)             {}
func (quiet) Infof(string, ...any)    {}
func (quiet) Warning(...any)          {}
func (quiet) Warningf(string, ...any) {}
func (quiet) Error(...any)            {}
func (quiet) Errorf(string, ...any)   {}
func (quiet) Fatal(v ...any)          { quiet{}.Panic(v...) }
func (quiet) Fatalf(f string, v ...any) {
	quiet{}.Panicf(f, v...)
}
func (quiet) Panic(v ...any)            { invariant.Check(false, "%s", fmt.Sprint(v...)) }
func (quiet) Panicf(f string, v ...any) { invariant.Check(false, f, v...) }
