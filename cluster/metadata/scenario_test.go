package metadata

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/ilion-db/ilion/internal/vfs"
)

// formed runs f on a cluster of n whose voters have settled.
func formed(t *testing.T, n int, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, n, 1)
		w.form()
		w.eventually("voters", func() bool {
			w.gossip()
			s := w.nodes[0].log.State()
			return len(s.Voters) == votersFor(n) && len(s.outgoing) == 0 && w.agree()
		})
		f(w)
		w.stop()
	})
}

// create proposes a keyspace on a node.
func (d *testNode) create(i int) error {
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	_, err := d.log.Propose(ctx, keyspace(i))
	return err
}

func (d *testNode) has(i int) bool { return d.log.Snapshot().Keyspace(fmt.Sprintf("k%d", i)) != nil }

// isolate cuts a node off, or joins it again.
func (w *world) isolate(n int, off bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.nodes {
		w.cut[[2]int{n, i}], w.cut[[2]int{i, n}] = off, off
	}
}

// split separates voters from the others.
func (w *world) split() (voters, others []*testNode) {
	s := w.up()[0].log.State()
	for _, d := range w.nodes {
		if contains(s.Voters, hostN(d.n)) {
			voters = append(voters, d)
		} else {
			others = append(others, d)
		}
	}
	return voters, others
}

// TestWithoutQuorum stops all voters but one: nobody can change anything, what
// was agreed on still spreads.
func TestWithoutQuorum(t *testing.T) {
	formed(t, 7, func(w *world) {
		voters, others := w.split()
		w.isolate(others[0].n, true)
		if err := voters[0].create(0); err != nil {
			t.Fatal(err)
		}
		if others[0].has(0) {
			t.Fatal("it came over no link")
		}
		w.eventually("agreement of voters", func() bool { return voters[4].has(0) })
		for _, d := range voters[:4] {
			d.crash()
		}
		w.isolate(others[0].n, false)
		others[0].log.Hear(hostN(voters[4].n), voters[4].log.Epoch())
		ctx, cancel := within(time.Minute)
		if err := others[0].log.Wait(ctx, voters[4].log.Epoch()); err != nil || !others[0].has(0) {
			t.Errorf("without a quorum nothing spreads: %v", err)
		}
		cancel()
		ctx, cancel = within(30 * time.Second)
		if err := others[0].log.Wait(ctx, others[0].log.Epoch()+5); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
		err := others[0].create(1)
		if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrNoLeader) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a proposal without a quorum: %v", err)
		}
		for _, d := range voters[:4] {
			if err := d.start(); err != nil {
				t.Fatal(err)
			}
		}
		w.eventually("agreement", w.agree)
		if err := others[0].create(2); err != nil {
			t.Error(err)
		}
	})
}

// identify gives a node's disk the identity that commands on it need.
func (d *testNode) identify() {
	id := Identity{ClusterID: [16]byte{1}, ClusterName: "c", Generation: 1, HostID: hostN(d.n), FormatLevel: 1}
	if err := vfs.WriteFileAtomic(d.fs, "/data/identity", appendIdentity(nil, &id)); err != nil {
		d.w.t.Fatal(err)
	}
}

// TestForcedRecovery loses the majority for good, begins a new generation with
// what is left, and lets the old majority come back.
func TestForcedRecovery(t *testing.T) {
	formed(t, 3, func(w *world) {
		for _, d := range w.nodes {
			d.identify()
		}
		before := w.nodes[1].fs.CrashClone(vfs.CrashOptions{Keep: 100})
		w.isolate(2, true)
		if err := w.nodes[0].create(5); err != nil {
			t.Fatal(err)
		}
		old := w.nodes[0].log.State()
		for _, d := range w.nodes {
			d.crash()
		}
		w.isolate(2, false)

		s, err := Recover(w.nodes[2].fs, "/data", "c")
		if err != nil || s.Generation != 2 || len(s.Voters) != 1 || s.Epoch <= old.Epoch {
			t.Fatalf("%+v, %v", s, err)
		}
		if id, err := ReadIdentity(w.nodes[2].fs, "/data", "c"); err != nil || id.Generation != 2 {
			t.Errorf("%+v, %v", id, err)
		}
		if err := w.nodes[2].start(); err != nil {
			t.Fatal(err)
		}
		if err := w.nodes[2].create(6); err != nil {
			t.Fatal(err)
		}
		// One that had nothing of its own goes on with the others.
		w.nodes[1].fs = before
		if err := w.nodes[1].start(); err != nil {
			t.Fatal(err)
		}
		w.eventually("the other node", func() bool { w.gossip(); return w.nodes[1].has(6) })

		// One that had has another history.
		if err := w.nodes[0].start(); err != nil {
			t.Fatal(err)
		}
		w.nodes[0].log.Hear(hostN(2), w.nodes[2].log.Epoch())
		ctx, cancel := within(time.Minute)
		if err := w.nodes[0].log.Wait(ctx, w.nodes[2].log.Epoch()); !errors.Is(err, ErrDiverged) {
			t.Errorf("the old majority is let in: %v", err)
		}
		cancel()
		w.nodes[0].crash()
		joined, err := w.nodes[2].log.ServePull(0, [32]byte{})
		if err != nil {
			t.Fatal(err)
		}
		if s, err := Rejoin(w.nodes[0].fs, "/data", "c", joined); err != nil || s.Generation != 2 {
			t.Fatal(err)
		}
		if _, err := Rejoin(w.nodes[0].fs, "/data", "c", joined); err == nil {
			t.Error("a node of the generation joins it again")
		}
		if err := w.nodes[0].start(); err != nil {
			t.Fatal(err)
		}
		w.eventually("agreement", w.agree)
		w.eventually("three voters", func() bool { w.gossip(); return len(w.nodes[0].log.State().Voters) == 3 })
		if err := w.nodes[0].create(7); err != nil || w.nodes[0].has(5) {
			t.Errorf("%v, has k5: %v", err, w.nodes[0].has(5))
		}

		// Both kinds of node, the one that recovered and the one that rejoined,
		// can be recovered from again.
		for _, i := range []int{2, 0} {
			w.nodes[i].crash()
			if s, err := Recover(w.nodes[i].fs, "/data", "c"); err != nil || s.Generation != 3 {
				t.Fatalf("node %d again: %+v, %v", i, s, err)
			}
		}
	})
}

func TestRecoverRefuses(t *testing.T) {
	w := newWorld(t, 1, 1)
	d := w.nodes[0]
	if _, err := Recover(d.fs, "/data", "c"); err == nil {
		t.Error("a directory without identity")
	}
	if err := vfs.MkdirAllSync(d.fs, "/data"); err != nil {
		t.Fatal(err)
	}
	d.identify()
	if err := founder(t, d.fs).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Recover(d.fs, "/data", "c", hostN(8)); !errors.Is(err, ErrNoMember) {
		t.Error(err)
	}
	if _, err := Recover(d.fs, "/data", "other"); err == nil {
		t.Error("another cluster's name")
	}
	lock, err := d.fs.Lock("/data/lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Recover(d.fs, "/data", "c"); !errors.Is(err, vfs.ErrLocked) {
		t.Error(err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Rejoin(d.fs, "/data", "c", []byte{byte(pullNothing)}); err == nil {
		t.Error("joined with nothing")
	}
}

// TestDeadVoterIsReplaced stops a voter for more than 10 minutes.
func TestDeadVoterIsReplaced(t *testing.T) {
	formed(t, 4, func(w *world) {
		voters, others := w.split()
		dead := voters[0]
		dead.crash()
		time.Sleep(9 * time.Minute)
		if s := voters[1].log.State(); !contains(s.Voters, hostN(dead.n)) {
			t.Error("replaced too soon")
		}
		w.eventually("another voter", func() bool {
			s := voters[1].log.State()
			return !contains(s.Voters, hostN(dead.n)) && contains(s.Voters, hostN(others[0].n)) && len(s.outgoing) == 0
		})
		voters[2].crash()
		if err := voters[1].create(0); err != nil {
			t.Errorf("two of three voters: %v", err)
		}
		for _, d := range []*testNode{dead, voters[2]} {
			if err := d.start(); err != nil {
				t.Fatal(err)
			}
		}
		w.eventually("agreement", w.agree)
	})
}

// TestRemovedLeader removes the leader from the cluster: others lead and vote.
func TestRemovedLeader(t *testing.T) {
	formed(t, 5, func(w *world) {
		leader := w.byHost(w.nodes[1].log.lastLeader())
		ctx, cancel := within(time.Minute)
		_, err := w.nodes[(leader.n+1)%5].log.Remove(ctx, hostN(leader.n))
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		other := w.nodes[(leader.n+2)%5]
		w.eventually("voters", func() bool {
			w.gossip()
			s := other.log.State()
			return len(s.Voters) == 3 && !contains(s.Voters, hostN(leader.n)) && len(s.outgoing) == 0
		})
		leader.crash()
		if err := other.create(0); err != nil {
			t.Error(err)
		}
		if len(other.log.State().Members) != 4 {
			t.Error("it is still a member")
		}
	})
}

// TestFarBehind lets a voter miss more than raft and history keep: it comes back
// by the leader's snapshot, without gossip.
func TestFarBehind(t *testing.T) {
	formed(t, 3, func(w *world) {
		leader := w.byHost(w.nodes[0].log.lastLeader())
		late := w.nodes[(leader.n+1)%3]
		late.crash()
		for range compactRaftAfter + keepRaftEntries {
			ctx, cancel := within(time.Minute)
			if _, err := leader.log.RaiseLevel(ctx, 9); !errors.Is(err, ErrLevel) {
				t.Fatal(err)
			}
			cancel()
		}
		if f, err := listFiles(leader.fs, dir); err != nil || len(f.rafts) != 1 || f.rafts[0] < 2 {
			t.Fatalf("the raft file was never written anew: %v, %v", f.rafts, err)
		}
		var kinds []EntryKind
		if err := late.start(); err != nil {
			t.Fatal(err)
		}
		late.log.Subscribe(func(_ *State, e Entry) { kinds = append(kinds, e.Kind) })
		w.eventually("the late voter", func() bool { return late.log.State().at == leader.log.State().at })
		synctest.Wait()
		if len(kinds) == 0 || kinds[0] != EntrySnapshot {
			t.Errorf("it came by %v", kinds)
		}
		late.crash()
		if err := late.start(); err != nil {
			t.Fatal(err)
		}
		if err := late.create(0); err != nil {
			t.Error(err)
		}
		w.eventually("agreement", w.agree)
	})
}

// TestFarBehindPulls is the same for a node that is no voter.
func TestFarBehindPulls(t *testing.T) {
	formed(t, 4, func(w *world) {
		voters, others := w.split()
		late := others[0]
		late.crash()
		for range tailEntries + 10 {
			ctx, cancel := within(time.Minute)
			if _, err := voters[0].log.RaiseLevel(ctx, 9); !errors.Is(err, ErrLevel) {
				t.Fatal(err)
			}
			cancel()
		}
		if err := voters[1].create(3); err != nil {
			t.Fatal(err)
		}
		if err := late.start(); err != nil {
			t.Fatal(err)
		}
		w.eventually("agreement", w.agree)
		if !late.has(3) {
			t.Error("it has not what was decided")
		}
	})
}

// deaf is a network that loses the first answers to proposals.
type deaf struct {
	link
	lost *int
}

func (n deaf) Propose(ctx context.Context, to [16]byte, proposal []byte) ([]byte, error) {
	body, err := n.link.Propose(ctx, to, proposal)
	if *n.lost > 0 {
		*n.lost--
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return body, err
}

// TestLostAnswer loses answers to a proposal: it is applied once, and its
// proposer is told so.
func TestLostAnswer(t *testing.T) {
	formed(t, 4, func(w *world) {
		_, others := w.split()
		lost := 3
		others[0].crash()
		others[0].wrap = func(n link) Network { return deaf{n, &lost} }
		if err := others[0].start(); err != nil {
			t.Fatal(err)
		}
		if err := others[0].create(0); err != nil || lost != 0 {
			t.Errorf("%v, %d answers", err, lost)
		}
	})
}

// TestRolledBackVoter starts a voter from an older image of its disk: it stops
// with an error and takes nobody with it.
func TestRolledBackVoter(t *testing.T) {
	formed(t, 3, func(w *world) {
		leader := w.byHost(w.nodes[0].log.lastLeader())
		d := w.nodes[(leader.n+1)%3]
		image := d.fs.CrashClone(vfs.CrashOptions{})
		if err := leader.create(0); err != nil {
			t.Fatal(err)
		}
		w.eventually("agreement", w.agree)
		d.crash()
		d.fs = image
		if err := d.start(); err != nil {
			t.Fatal(err)
		}
		w.eventually("the error", func() bool { return d.log.failure() != nil })
		if err := d.log.failure(); !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), "raft") {
			t.Error(err)
		}
		if err := d.create(1); !errors.Is(err, ErrStopped) {
			t.Error(err)
		}
		d.crash()
		if err := leader.create(2); err != nil {
			t.Error(err)
		}
	})
}

// TestVotesBehindHistory opens a directory whose raft file has another entry
// where the history, pulled from peers, has the one that was agreed on.
func TestVotesBehindHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := founder(t, fs)
		l.Start(noNetwork{})
		propose(t, l, 0)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		s := l.State()
		f := &raftFile{fs: fs, dir: dir, warn: func(string) {}}
		hard := raftpb.HardState{Term: s.term + 5, Vote: 9}
		_, _, err := f.load()
		err = errors.Join(err, f.replace(&raftBase{generation: 1, index: s.at.index - 1, term: s.term, hard: hard},
			[]raftpb.Entry{{Index: s.at.index, Term: s.term + 1}, {Index: s.at.index + 1, Term: s.term + 1}}), f.close())
		if err != nil {
			t.Fatal(err)
		}
		l = founder(t, fs)
		last, err := l.core.storage.LastIndex()
		if err != nil || last != s.at.index {
			t.Errorf("last entry %d, %v", last, err)
		}
		if term, err := l.core.storage.Term(last); err != nil || term != s.term {
			t.Errorf("term %d, %v", term, err)
		}
		if l.core.hard.Term != hard.Term || l.core.hard.Vote != hard.Vote {
			t.Errorf("the vote is forgotten: %+v", l.core.hard)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestOpenRefusesACluster(t *testing.T) {
	formed(t, 3, func(w *world) {
		image := w.nodes[1].fs.CrashClone(vfs.CrashOptions{})
		if _, err := Open(image, dir, Options{}); err == nil || !strings.Contains(err.Error(), "cluster of 3 nodes") {
			t.Error(err)
		}
		o := testOptions(1)
		o.Generation = 2
		if _, err := OpenReplicated(image, dir, o); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a log of an older generation than the identity: %v", err)
		}
	})
}

// TestHostileBytes gives a leader what no peer sends.
func TestHostileBytes(t *testing.T) {
	formed(t, 3, func(w *world) {
		l := w.byHost(w.nodes[0].log.lastLeader()).log
		me, peer := l.opts.HostID, hostN((int(l.opts.HostID[0]))%3)
		message := func(m raftpb.Message) []byte {
			p, err := m.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			return append(binary.LittleEndian.AppendUint16(nil, 1), p...)
		}
		for i, p := range [][]byte{
			nil, {1}, {1, 0, 0xff, 0xff},
			message(raftpb.Message{Type: raftpb.MsgHeartbeat, From: 1, To: raftID(me)}),
			message(raftpb.Message{Type: raftpb.MsgHeartbeat, From: raftID(peer), To: 1}),
			message(raftpb.Message{Type: raftpb.MsgHup, From: raftID(peer), To: raftID(me)}),
			message(raftpb.Message{Type: raftpb.MsgProp, From: raftID(peer), To: raftID(me)}),
		} {
			if err := l.Step(peer, p); !errors.Is(err, ErrCorrupt) {
				t.Errorf("message %d: %v", i, err)
			}
		}
		if err := l.Step(peer, []byte{7, 0, 1}); err != nil {
			t.Errorf("a message of another generation: %v", err)
		}
		before := l.Epoch()
		for i, c := range everyCommand() {
			if c.change != nil || c.member != nil {
				c.term = 0 // of what is left a placement has no epoch, and is let in
				for _, p := range c.placements {
					p.Ranges[0].Changed = 5
				}
			}
			if _, err := l.ServePropose(context.Background(), appendCommand(nil, c)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("proposal %d: %v", i, err)
			}
		}
		if _, err := l.ServePropose(context.Background(), make([]byte, maxPayload+1)); !errors.Is(err, ErrCorrupt) {
			t.Error(err)
		}
		if l.Epoch() != before {
			t.Error("something was applied")
		}
		for _, after := range []uint64{1<<64 - 1, 1 << 48, before + 100, before} {
			p, err := l.ServePull(after, [32]byte{1})
			if err != nil {
				t.Error(err)
			}
			if r, err := decodePull(p); err != nil || r.entries != nil {
				t.Errorf("after %x: %+v, %v", after, r, err)
			}
		}
	})
}
