package metadata

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// hostN is the host id of the n-th node of a test.
func hostN(n int) [16]byte { return [16]byte{0: byte(n + 1), 15: 0x40} }

// memberN is the n-th node of a test: data centres of three, racks of one.
func memberN(n int) Member {
	return Member{
		HostID: hostN(n), DC: fmt.Sprintf("dc%d", n/3), Rack: fmt.Sprintf("r%d", n%3),
		Tokens: []ring.Token{ring.Token(n * 1000), ring.Token(n*1000 - 1<<62)}, Address: fmt.Sprintf("10.0.0.%d:7000", n+1),
		HighestLevel: 1,
	}
}

// testOptions are those of the n-th node.
func testOptions(n int) ReplicatedOptions {
	m := memberN(n)
	return ReplicatedOptions{Generation: 1, HostID: m.HostID, Clock: clock.Real, Rand: rand.NewSeeded(uint64(n) + 1)}
}

// noNetwork is that of a node without peers.
type noNetwork struct{}

var errNoPeer = errors.New("no such peer")

func (noNetwork) Send([16]byte, []byte) {}
func (noNetwork) Pull(context.Context, [16]byte, uint64, [32]byte) ([]byte, error) {
	return nil, errNoPeer
}

func (noNetwork) Propose(context.Context, [16]byte, []byte) ([]byte, error) { return nil, errNoPeer }

// founder opens a cluster of one node.
func founder(t testing.TB, fs vfs.FS) *Replicated {
	t.Helper()
	o, m := testOptions(0), memberN(0)
	o.Found = &m
	l, err := OpenReplicated(fs, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestReplicatedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := founder(t, fs)
		if s := l.State(); s.Epoch != 1<<48|1 || len(s.Members) != 1 || len(s.Voters) != 1 || s.Level != 1 || s.UserTables {
			t.Errorf("%+v", s)
		}
		var mu sync.Mutex
		var heard []string
		l.Subscribe(func(s *State, e Entry) {
			mu.Lock()
			defer mu.Unlock()
			if s.Epoch != e.Epoch {
				t.Errorf("state %x with entry %x", s.Epoch, e.Epoch)
			}
			if e.Kind == EntrySchema {
				heard = append(heard, e.Change.Keyspace.Name)
			}
		})
		l.Start(noNetwork{})
		for i := range 3 {
			propose(t, l, i)
			if n := has(t, l); n != i+1 {
				t.Fatalf("%d keyspaces", n)
			}
		}
		mu.Lock()
		if fmt.Sprint(heard) != "[k0 k1 k2]" {
			t.Error(heard)
		}
		mu.Unlock()
		if p := l.State().Placements["k1"]; p == nil || len(p.Ranges) != 2 || p.Ranges[0].Replicas[0] != hostN(0) || p.Ranges[0].Changed == 0 {
			t.Errorf("%+v", p)
		}
		if _, err := l.Propose(context.Background(), keyspace(1)); err == nil || err.Error() != `Cannot add existing keyspace "k1"` {
			t.Error(err)
		}
		before := l.Epoch()
		if epoch, err := l.Register(context.Background(), memberN(0)); err != nil || epoch != before {
			t.Errorf("registered as it is already: epoch %x, %v", epoch, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Propose(context.Background(), keyspace(5)); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		l = founder(t, fs)
		if l.Epoch() != before || has(t, l) != 3 {
			t.Errorf("epoch %x after %x", l.Epoch(), before)
		}
		l.Start(noNetwork{})
		propose(t, l, 3)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestReplicatedTakesOver opens a directory that Open has written, and gives it
// back to Open.
func TestReplicatedTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		o := testOptions(0)
		old := open(t, fs, Options{Generation: 1, HostID: o.HostID, CompactAfter: 3})
		m := memberN(0)
		if _, err := old.Register(context.Background(), m); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			propose(t, old, i)
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		l, err := OpenReplicated(fs, dir, o)
		if err != nil {
			t.Fatal(err)
		}
		s := l.State()
		if has(t, l) != 4 || s.Epoch != 1<<48|5 || len(s.Voters) != 1 || s.Voters[0] != o.HostID || s.Placements["k3"].Ranges[0].Replicas[0] != o.HostID {
			t.Errorf("%+v", s)
		}
		l.Start(noNetwork{})
		propose(t, l, 4)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		old = open(t, fs, Options{Generation: 1, HostID: o.HostID})
		propose(t, old, 5)
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		if l, err = OpenReplicated(fs, dir, o); err != nil {
			t.Fatal(err)
		}
		l.Start(noNetwork{})
		propose(t, l, 6)
		if has(t, l) != 7 {
			t.Error("not all are there")
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestReplicatedEmpty(t *testing.T) {
	if _, err := OpenReplicated(vfs.NewMem(), dir, testOptions(0)); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
}

// TestDeepTypeIsNoEntry proposes types of one another: one that no node could
// read back is refused, and the log goes on.
func TestDeepTypeIsNoEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := founder(t, vfs.NewMem())
		l.Start(noNetwork{})
		propose(t, l, 0)
		var err error
		inner := schema.TypeInt
		for i := 0; err == nil && i < 100; i++ {
			inner = schema.UDTOf("k0", fmt.Sprint("u", i), []string{"f"}, []*schema.Type{inner.Freeze()}, false)
			_, err = l.Propose(context.Background(), schema.Change{Kind: schema.CreateType, Type: inner})
		}
		var refusal *schema.Error
		if !errors.As(err, &refusal) {
			t.Errorf("the deepest type: %v", err)
		}
		propose(t, l, 1)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestUnreadableProposalIsNoEntry proposes what is encoded and cannot be decoded:
// it is refused, and the log goes on.
func TestUnreadableProposalIsNoEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := founder(t, vfs.NewMem())
		l.Start(noNetwork{})
		c := keyspace(0)
		c.Type = schema.TypeInt // which the change has no use for
		for range 100 {
			c.Type = schema.ListOf(c.Type, true)
		}
		_, err := l.Propose(context.Background(), c)
		var refusal *schema.Error
		if !errors.As(err, &refusal) || refusal.Kind != schema.ErrInvalid {
			t.Errorf("a type that cannot be decoded: %v", err)
		}
		propose(t, l, 0)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
