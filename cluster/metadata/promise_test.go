package metadata

import (
	"errors"
	"testing"
	"testing/synctest"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

// promise is what a voter has told others: they count on it from then on.
type promise struct {
	term           uint64 // that it answered in
	vote, voteTerm uint64
	index          uint64 // the highest entry it said to have
}

// witness is a network that notes what its node promises.
type witness struct {
	link
	promised *promise // by the node's own goroutine only
}

func (n witness) Send(to [16]byte, msg []byte) {
	var m raftpb.Message
	if err := m.Unmarshal(msg[2:]); err != nil {
		n.w.t.Error(err)
	}
	switch {
	case m.Type == raftpb.MsgVoteResp && !m.Reject:
		n.promised.vote, n.promised.voteTerm = m.To, m.Term
	case m.Type == raftpb.MsgVote: // who asks for votes has voted for itself
		n.promised.vote, n.promised.voteTerm = m.From, m.Term
	case m.Type == raftpb.MsgAppResp && !m.Reject:
		n.promised.index, n.promised.term = m.Index, m.Term
	}
	n.link.Send(to, msg)
}

// kept tells whether a disk has what its node promised.
func (p *promise) kept(t *testing.T, fs vfs.FS) {
	t.Helper()
	h, s, err := openHistory(fs, dir, 20, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := &raftFile{fs: fs, dir: dir, warn: func(string) {}}
	base, entries, err := f.load()
	if err := errors.Join(err, f.close(), h.close()); err != nil {
		t.Fatal(err)
	}
	if base == nil {
		if *p != (promise{}) {
			t.Fatalf("promised %+v, there is no file", p)
		}
		return
	}
	if base.hard.Term < max(p.term, p.voteTerm) || base.hard.Term == p.voteTerm && p.vote != 0 && base.hard.Vote != p.vote {
		t.Fatalf("promised %+v, on disk is %+v", p, base.hard)
	}
	if last := max(s.at.index, base.index+uint64(len(entries))); last < p.index {
		t.Fatalf("promised entry %d, on disk is %d", p.index, last)
	}
	if base.index > s.at.index {
		t.Fatalf("the raft file begins after %d, the log ends with %d", base.index, s.at.index)
	}
}

// TestPromisesAreDurable cuts the power at every write of a voter, with none,
// some and all of what was not synced kept: what it has told others by then is
// on its disk.
func TestPromisesAreDurable(t *testing.T) {
	formed(t, 3, func(w *world) {
		d := w.nodes[1]
		d.crash()
		var images []*vfs.Mem
		var promises []promise
		promised := &promise{}
		src := rand.NewSeeded(9)
		d.fs.OnWriteSide(func(vfs.Call) {
			for _, keep := range []int{0, 50, 100} {
				images = append(images, d.fs.CrashClone(vfs.CrashOptions{Keep: keep, Rand: src}))
				promises = append(promises, *promised)
			}
		})
		d.wrap = func(n link) Network { return witness{n, promised} }
		if err := d.start(); err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			if err := w.nodes[i%3].create(i); err != nil {
				t.Fatal(err)
			}
		}
		leader := w.byHost(w.nodes[0].log.lastLeader())
		if leader == d {
			leader = w.nodes[0]
		}
		leader.crash() // the other two vote
		if err := d.create(6); err != nil {
			t.Fatal(err)
		}
		if err := leader.start(); err != nil {
			t.Fatal(err)
		}
		w.eventually("agreement", w.agree)
		synctest.Wait()
		d.fs.OnWriteSide(nil)
		for i, fs := range images {
			promises[i].kept(t, fs)
		}
		if len(images) < 100 || promised.index == 0 || promised.vote == 0 {
			t.Errorf("%d images, %+v", len(images), promised)
		}
	})
}
