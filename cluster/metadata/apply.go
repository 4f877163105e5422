package metadata

import (
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
)

// apply appends a committed entry to the history, unless it came from a peer
// before.
func (c *core) apply(e *raftpb.Entry) error {
	body := e.Data
	var change raftpb.ConfChangeV2
	if e.Type != raftpb.EntryNormal {
		if err := change.Unmarshal(e.Data); err != nil {
			return fmt.Errorf("%w: change of voters: %v", ErrCorrupt, err)
		}
		if body = change.Context; change.LeaveJoint() {
			body = appendCommand(nil, &command{leave: true})
		}
	}
	c.applied = e.Index
	s := c.l.state.Load()
	if e.Index > s.at.index {
		if e.Index != s.at.index+1 {
			return fmt.Errorf("%w: entry %d follows %d", ErrCorrupt, e.Index, s.at.index)
		}
		payload := append(appendU64(nil, fieldTerm, e.Term), body...)
		cmd, err := decodeCommand(payload)
		if err != nil {
			return err
		}
		next, what, err := c.history.append(s, kindCommand, cmd.proposer, payload)
		if err != nil {
			return err
		}
		c.accept(next, cmd, what)
	}
	if e.Type == raftpb.EntryNormal {
		return nil
	}
	return c.guard(func() error { c.node.ApplyConfChange(change); return nil })
}

// accept puts the state after a command in force and tells its proposer.
func (c *core) accept(next *State, cmd *command, what outcome) {
	c.publish(next, describe(next, cmd, what))
	reply, found := c.waiting[cmd.id]
	if !found {
		return
	}
	delete(c.waiting, cmd.id)
	a := answer{code: answerRetry}
	if d := next.decision(cmd.id); d != nil {
		a = answer{code: answerDecided, what: d.what, epoch: d.epoch}
	}
	reply <- a
}

// describe is the entry as subscribers are told of it.
func describe(s *State, cmd *command, what outcome) Entry {
	e := Entry{Epoch: s.Epoch}
	switch {
	case what != applied:
	case cmd.change != nil:
		e.Kind, e.Change = EntrySchema, *cmd.change
	case cmd.member != nil:
		e.Kind, e.Host = EntryMember, cmd.member.HostID
	case cmd.removed != nil:
		e.Kind, e.Host = EntryRemoved, *cmd.removed
	case cmd.level != 0:
		e.Kind = EntryLevel
	case cmd.recovery != 0:
		e.Kind = EntryRecovery
	case cmd.voters != nil || cmd.leave:
		e.Kind = EntryVoters
	}
	return e
}

// publish puts a state in force.
func (c *core) publish(next *State, e Entry) {
	c.l.state.Store(next)
	tail := c.history.tail
	c.l.tail.Store(&tail)
	select {
	case c.l.notices <- notice{next, e}:
	case <-c.l.closing:
	}
}

// takeOver makes what a peer has sent part of the history.
func (c *core) takeOver(p *pulled) error {
	if p.snapshot != nil {
		if p.snapshot.Epoch <= c.l.state.Load().Epoch {
			return nil
		}
		if err := c.replace(p.snapshot); err != nil {
			return err
		}
		return c.regenerate()
	}
	rest := slices.Clone(p.entries)
	for len(rest) > 0 {
		s := c.l.state.Load()
		if len(rest) >= entryHeaderLen && binary.LittleEndian.Uint64(rest[8:]) <= s.at.index {
			n := entryHeaderLen + int(binary.LittleEndian.Uint32(rest))
			rest = rest[min(n, len(rest)):] // it came on another way
			continue
		}
		e, size, ok := readEntry(rest, s.at)
		if !ok {
			return fmt.Errorf("%w: a peer's entries do not continue ours at %d", ErrCorrupt, s.at.index)
		}
		cmd := &command{}
		if e.kind == kindCommand {
			var err error
			if cmd, err = decodeCommand(e.payload); err != nil {
				return err
			}
		}
		next, what, err := c.history.commit(s, &e, rest[:size:size])
		if err != nil {
			return err
		}
		c.accept(next, cmd, what)
		if err := c.regenerate(); err != nil {
			return err
		}
		rest = rest[size:]
	}
	return nil
}

// regenerate leaves the votes of an older generation behind.
func (c *core) regenerate() error {
	s := c.l.state.Load()
	if c.node == nil && !s.votes(c.l.opts.HostID) || c.node != nil && c.generation == s.Generation {
		return nil
	}
	if err := c.begin(s, nil, nil); err != nil {
		return err
	}
	c.leads = false
	c.dismiss()
	return c.alone()
}

// install takes over a leader's snapshot: the history first, so that a crash in
// between leaves a core that is behind and not one that is ahead.
func (c *core) install(snap *raftpb.Snapshot) error {
	m := &snap.Metadata
	if s := c.l.state.Load(); m.Index > s.at.index {
		next, err := readSnapshot("snapshot of the leader", snap.Data)
		if err != nil {
			return err
		}
		if next.at.index != m.Index {
			return fmt.Errorf("%w: snapshot of entry %d, not %d", ErrCorrupt, next.at.index, m.Index)
		}
		if err := c.replace(next); err != nil {
			return err
		}
	}
	c.applied = m.Index
	base := &raftBase{generation: c.generation, index: m.Index, term: m.Term, hard: c.hard}
	if err := c.file.replace(base, nil); err != nil {
		return err
	}
	return c.storage.ApplySnapshot(raftpb.Snapshot{Metadata: *m})
}

// replace puts a peer's state in the place of ours.
func (c *core) replace(next *State) error {
	if err := c.history.compact(next); err != nil {
		return c.history.stop(err)
	}
	c.history.tail = nil
	c.publish(next, Entry{Epoch: next.Epoch, Kind: EntrySnapshot})
	return nil
}
