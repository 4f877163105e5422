package coordinator

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// sixMembers are two data centres of three nodes.
func sixMembers() (members []metadata.Member) {
	for i := range 6 {
		dc := "dc1"
		if i >= 3 {
			dc = "dc2"
		}
		members = append(members, memberAt(i, dc, string(rune('a'+i))))
	}
	return members
}

var threeEach = map[string]string{"class": schema.NetworkTopologyStrategy, "dc1": "3", "dc2": "3"}

// centre makes the peers of dc2 send on what they are told to.
func (f *fixture) centre(t *testing.T) {
	for i := 3; i < 6; i++ {
		p := f.peers[hostID(i)]
		is := p.is
		p.do = func(m *rpc.Message, r rpc.Receiver) error {
			switch is {
			case dead:
				return rpc.ErrPeerDown
			case slow:
				p.later(m.Deadline, func() { r.Receive(&rpc.Answer{Err: rpc.ErrDeadline}) })
				return nil
			case failing:
				clock.Real.AfterFunc(time.Millisecond, func() { r.Receive(&rpc.Answer{Err: &wire.Error{Code: wire.CodeDiskFull}}) })
				return nil
			}
			r.Receive(&rpc.Answer{})
			var a wire.Apply
			if err := a.Decode(m.Body); err != nil {
				t.Error(err)
			}
			for _, host := range a.Forward {
				f.tell(a.ID, host)
			}
			return nil
		}
	}
}

// tell tells the coordinator of a hop, as the node that sent on does.
func (f *fixture) tell(id uint64, host [16]byte) {
	applied := wire.Applied{ID: id, Host: host}
	switch f.peers[host].is {
	case slow:
		return
	case failing:
		applied.Code = wire.CodeDiskFull
	}
	f.applied(&applied)
}

func (f *fixture) applied(a *wire.Applied) {
	q := &asking{op: wire.OpApplied, body: a.Append(nil)}
	clock.Real.AfterFunc(time.Millisecond, func() { f.serve(q) })
}

// remote are what a Cassandra answers with two data centres of three replicas
// each, by what is wrong in the remote one: dead, failing, slow.
var remote = []struct {
	level               ring.ConsistencyLevel
	dead, failing, slow int
	want                answer
}{
	{ring.LocalOne, 3, 0, 0, answer{code: success}},
	{ring.LocalQuorum, 3, 0, 0, answer{code: success}},
	{ring.LocalQuorum, 0, 3, 0, answer{code: success}},
	{ring.LocalQuorum, 0, 0, 3, answer{code: success}},
	{ring.Quorum, 0, 0, 0, answer{code: success}},
	{ring.Quorum, 2, 0, 0, answer{code: success}},
	{ring.Quorum, 0, 0, 2, answer{code: success}},
	{ring.Quorum, 3, 0, 0, answer{native.CodeUnavailable, 3, 4}},
	{ring.Quorum, 0, 3, 0, answer{native.CodeWriteFailure, 3, 4}},
	{ring.Quorum, 0, 0, 3, answer{native.CodeWriteTimeout, 3, 4}},
	{ring.EachQuorum, 0, 0, 0, answer{code: success}},
	{ring.EachQuorum, 1, 0, 0, answer{code: success}},
	{ring.EachQuorum, 0, 0, 1, answer{code: success}},
	{ring.EachQuorum, 0, 1, 0, answer{code: success}},
	{ring.EachQuorum, 2, 0, 0, answer{native.CodeUnavailable, 1, 2}},
	{ring.EachQuorum, 0, 2, 0, answer{native.CodeWriteFailure, 4, 4}},
	{ring.EachQuorum, 0, 0, 2, answer{native.CodeWriteTimeout, 3, 4}},
	{ring.All, 0, 0, 0, answer{code: success}},
	{ring.All, 0, 0, 1, answer{native.CodeWriteTimeout, 5, 6}},
	{ring.All, 0, 1, 0, answer{native.CodeWriteFailure, 5, 6}},
}

func TestLevelsOverTwoDataCentres(t *testing.T) {
	for _, c := range remote {
		t.Run(c.level.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, threeEach, sixMembers()...)
				f.spoilRemote(c.dead, c.failing, c.slow)
				f.centre(t)
				got := answerOf(f.write(c.level, f.row(f.key, 1)))
				// A relay that is slow keeps the others from hearing of the write: fewer
				// may have acknowledged than could have.
				if got.code == c.want.code && c.slow > 0 {
					got.received = max(got.received, c.want.received)
				}
				switch {
				case c.slow == 0 && got != c.want:
					t.Errorf("%+v: got %+v, want %+v", c, got, c.want)
				case c.want.code != success && got.required != c.want.required:
					t.Errorf("%+v: got %+v, want %+v", c, got, c.want)
				}
				f.settle()
			})
		})
	}
}

func (f *fixture) spoilRemote(dead_, failing_, slow_ int) {
	for i := 3; i < 6; i++ {
		p := f.peers[hostID(i)]
		switch {
		case dead_ > 0:
			p.set(dead)
			dead_--
		case failing_ > 0:
			p.set(failing)
			failing_--
		case slow_ > 0:
			p.set(slow)
			slow_--
		}
	}
}

func TestOneMessageToARemoteDataCentre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, threeEach, sixMembers()...)
		f.centre(t)
		const writes = 30
		for range writes {
			if err := f.write(ring.All, f.row(f.key, 1)); err != nil {
				t.Fatal(err)
			}
		}
		sent := 0
		for i := 3; i < 6; i++ {
			got := f.peers[hostID(i)].messages()
			sent += len(got)
			if len(got) == 0 {
				t.Error("a node is never the one to send on")
			}
			for _, m := range got {
				if m.Op != wire.OpForward || len(m.apply.Forward) != 2 || slices.Contains(m.apply.Forward, hostID(i)) {
					t.Fatalf("%v to %d: %v", m.Op, i, m.apply.Forward)
				}
			}
		}
		if sent != writes {
			t.Errorf("%d messages for %d writes", sent, writes)
		}
	})
}

// What is told of an earlier use of a record does not count for a later one.
func TestLateTellingIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, threeEach, sixMembers()...)
		var ids []uint64
		var forward [][16]byte
		for i := 3; i < 6; i++ {
			f.peers[hostID(i)].do = func(m *rpc.Message, r rpc.Receiver) error {
				var a wire.Apply
				if err := a.Decode(m.Body); err != nil {
					return err
				}
				ids, forward = append(ids, a.ID), slices.Clone(a.Forward)
				r.Receive(&rpc.Answer{})
				return nil
			}
		}
		want := answer{native.CodeWriteTimeout, 4, 6}
		if got := answerOf(f.write(ring.All, f.row(f.key, 1))); got != want {
			t.Fatalf("%+v", got)
		}
		f.settle()
		if n := len(f.hints.hosts()); n != 2 {
			t.Errorf("%d hints", n)
		}
		o := newOutcome()
		if err := f.start(ring.All, o, f.row(f.key, 1)); err != nil {
			t.Fatal(err)
		}
		if len(f.pool.all) != 1 || ids[0] == ids[1] {
			t.Fatalf("%d records, ids %v", len(f.pool.all), ids)
		}
		for _, host := range forward {
			f.applied(&wire.Applied{ID: ids[0], Host: host})
		}
		f.applied(&wire.Applied{ID: ids[1], Host: forward[0]})
		f.applied(&wire.Applied{ID: ids[1], Host: forward[0]})
		f.applied(&wire.Applied{ID: ids[1], Host: hostID(9)})
		f.applied(&wire.Applied{ID: 1 << 40, Host: forward[1]})
		f.applied(&wire.Applied{ID: 77, Host: forward[1]})
		if got := answerOf(<-o.ch); got != (answer{native.CodeWriteTimeout, 5, 6}) {
			t.Errorf("%+v", got)
		}
		f.settle()
	})
}

func TestNewerStampBehindARelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, threeEach, sixMembers()...)
		newer := f.Now() + 1_000_000
		sent := 0
		for i := 3; i < 6; i++ {
			f.peers[hostID(i)].do = func(m *rpc.Message, r rpc.Receiver) error {
				var a wire.Apply
				if err := a.Decode(m.Body); err != nil {
					return err
				}
				sent++
				r.Receive(&rpc.Answer{})
				for _, host := range a.Forward {
					told := wire.Applied{ID: a.ID, Host: host}
					if a.Records[0].Timestamp() <= newer {
						told.Code, told.Timestamp = wire.CodeNewer, newer
					}
					f.applied(&told)
				}
				return nil
			}
		}
		if err := f.write(ring.All, f.stampedRow(f.key, f.Now())); err != nil {
			t.Fatal(err)
		}
		if sent != 2 {
			t.Errorf("sent %d times", sent)
		}
		f.settle()
	})
}

// A relay that breaks down does not cost its data centre the write.
func TestRelayThatFails(t *testing.T) {
	for _, is := range []behaviour{failing, gone, backlog} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, threeEach, sixMembers()...)
			relays := 0
			for i := 3; i < 6; i++ {
				p := f.peers[hostID(i)]
				p.do = func(m *rpc.Message, r rpc.Receiver) error {
					switch {
					case m.Op == wire.OpApply:
						r.Receive(&rpc.Answer{})
						return nil
					case is == backlog:
						relays++
						return rpc.ErrBacklog
					}
					relays++
					var a wire.Apply
					if err := a.Decode(m.Body); err != nil {
						return err
					}
					// It may have sent on before: what it tells late counts no more.
					for _, host := range a.Forward {
						f.applied(&wire.Applied{ID: a.ID, Host: host, Code: wire.CodeDiskFull})
					}
					err := error(rpc.ErrPeerDown)
					if is == failing {
						err = &wire.Error{Code: wire.CodeDiskFull}
					}
					clock.Real.AfterFunc(time.Microsecond, func() { r.Receive(&rpc.Answer{Err: err}) })
					return nil
				}
			}
			if err := f.write(ring.EachQuorum, f.row(f.key, 1)); err != nil {
				t.Errorf("%v: %v", is, err)
			}
			f.settle()
			if relays != 1 || len(f.hints.hosts()) != 1 {
				t.Errorf("%v: %d relays, hints for %v", is, relays, f.hints.hosts())
			}
			for i := 3; i < 6; i++ {
				if got := f.peers[hostID(i)].ops(); len(got) != 1 {
					t.Errorf("%v: node %d got %v", is, i, got)
				}
			}
		})
	}
}

// The real thing on both ends.
func TestTwoDataCentresOverANetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWhole(t, sixMembers()...)
		table := w.create(t, threeEach)
		for i, level := range []ring.ConsistencyLevel{ring.LocalQuorum, ring.Quorum, ring.EachQuorum, ring.All, ring.One} {
			r := clustertest.Row(table, keyAt(ring.Token(i)<<58+ring.Token(i)), nil, w.nodes[i].Now(), "v")
			r[2] |= mutation.FlagServerStamped
			if err := w.nodes[i].writeOf(level, r); err != nil {
				t.Fatalf("%v: %v", level, err)
			}
		}
		w.settle(t)
		for i, n := range w.nodes {
			if got := n.store.Applied(); got != 5 || len(n.hints.kept) != 0 {
				t.Errorf("node %d has %d records and %d hints", i, got, len(n.hints.kept))
			}
		}
	})
}
