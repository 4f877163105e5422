package node_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/sim"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
)

// listener is a client that has registered for all events.
type listener struct {
	nc net.Conn

	mu     sync.Mutex // protects events
	events []string   // in words
}

// listen connects a client to a node.
func (r *testRing) listen(i int) *listener {
	r.t.Helper()
	return listenTo(r.t, &r.net, ringAddress(i))
}

func listenTo(t *testing.T, by transport.Transport, address string) *listener {
	t.Helper()
	nc, err := by.Dial(t.Context(), address+":9042")
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{nc: nc}
	register(t, nc)
	go l.read()
	return l
}

// register makes a connection one of a client that hears all events.
func register(t *testing.T, nc net.Conn) {
	t.Helper()
	options := native.AppendString(native.AppendString([]byte{0, 1}, native.OptionCQLVersion), "3.0.0")
	kinds := []byte{0, 3}
	for _, kind := range []string{"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"} {
		kinds = native.AppendString(kinds, kind)
	}
	for _, m := range []struct {
		op   native.Opcode
		body []byte
	}{{native.OpStartup, options}, {native.OpRegister, kinds}} {
		out := native.BeginFrame(nil, native.Header{Version: native.V4, Stream: 1, Opcode: m.op})
		out = append(out, m.body...)
		native.EndFrame(out, 0)
		out[0] &^= 0x80 // a request
		if _, err := nc.Write(out); err != nil {
			t.Fatal(err)
		}
		if op, _, err := readMessage(nc); err != nil || op != native.OpReady {
			t.Fatalf("%v, %v", op, err)
		}
	}
}

func readMessage(r io.Reader) (native.Opcode, []byte, error) {
	var head [9]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[5:]))
	_, err := io.ReadFull(r, body)
	return native.Opcode(head[4]), body, err
}

func (l *listener) read() {
	for {
		_, body, err := readMessage(l.nc)
		if err != nil {
			return
		}
		l.mu.Lock()
		l.events = append(l.events, words(body))
		l.mu.Unlock()
	}
}

// words are the strings and the address of an event.
func words(b []byte) string {
	var out []string
	for len(b) >= 2 {
		n := int(binary.BigEndian.Uint16(b))
		if n > len(b)-2 || n == 0 || b[2] < 'A' {
			break
		}
		out, b = append(out, string(b[2:2+n])), b[2+n:]
	}
	if len(b) == 9 && b[0] == 4 {
		out = append(out, fmt.Sprintf("%v:%d", net.IP(b[1:5]), binary.BigEndian.Uint32(b[5:])))
	}
	return strings.Join(out, " ")
}

// heard waits until the client has heard exactly the events, in their order.
func (r *testRing) heard(l *listener, want ...string) {
	r.t.Helper()
	r.eventually(func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !slices.Equal(l.events, want) {
			return fmt.Errorf("heard %q, want %q", l.events, want)
		}
		return nil
	})
}

// heardSo is what the client has heard.
func (l *listener) heardSo() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

func (l *listener) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = nil
}

// TestEvents has clients of one node hear of others.
func TestEvents(t *testing.T) {
	inRing(t, 2, func(r *testRing) {
		r.settle()
		r.pause(time.Minute)
		l := r.listen(0)
		defer l.nc.Close()
		r.disks, r.nodes = append(r.disks, vfs.NewMem()), append(r.nodes, nil)
		r.start(2)
		r.heard(l, "TOPOLOGY_CHANGE NEW_NODE 127.0.0.3:9042", "STATUS_CHANGE UP 127.0.0.3:9042")
		l.forget()
		r.settle()
		r.must(1, ring.One, "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}")
		r.must(2, ring.One, "CREATE TABLE ks.t (k int PRIMARY KEY)")
		r.must(0, ring.One, "ALTER TABLE ks.t ADD v int")
		r.must(0, ring.One, "CREATE TYPE ks.u (a int)")
		r.must(1, ring.One, "TRUNCATE ks.t")
		r.must(1, ring.One, "DROP TABLE ks.t")
		r.heard(l, "SCHEMA_CHANGE CREATED KEYSPACE ks", "SCHEMA_CHANGE CREATED TABLE ks t", "SCHEMA_CHANGE UPDATED TABLE ks t",
			"SCHEMA_CHANGE CREATED TYPE ks u", "SCHEMA_CHANGE DROPPED TABLE ks t")
		l.forget()
		r.kill(2)
		r.heard(l, "STATUS_CHANGE DOWN 127.0.0.3:9042")
		l.forget()
		r.start(2)
		r.heard(l, "STATUS_CHANGE UP 127.0.0.3:9042")
		l.forget()
		r.kill(2) // and comes again before gossip finds that it went
		r.pause(2 * time.Second)
		r.start(2)
		r.heard(l, "STATUS_CHANGE DOWN 127.0.0.3:9042", "STATUS_CHANGE UP 127.0.0.3:9042")
		l.forget()
		r.stop(2) // it says that it goes
		r.heard(l, "STATUS_CHANGE DOWN 127.0.0.3:9042")
	})
}

// TestEventsOfUnreached has clients hear of a node that nothing reaches before
// gossip finds that out, and of no connections that break and are made anew.
func TestEventsOfUnreached(t *testing.T) {
	const count = 3 // and a client on a machine of its own
	synctest.Test(t, func(t *testing.T) {
		w := sim.New(1, count+1)
		nodes, err := serveOn(w, count)
		defer closeAll(nodes)
		if err != nil {
			t.Error(err)
			return
		}
		w.Clock.Sleep(time.Minute)
		l := listenTo(t, w.Machines[count].Boot().Transport, w.Machines[0].IP())
		defer l.nc.Close()
		if ended := w.Net.Reset(0, 2); ended == 0 {
			t.Error("no connections have been reset")
		}
		w.Clock.Sleep(10 * time.Second)
		if heard := l.heardSo(); len(heard) > 0 {
			t.Errorf("of connections that were made anew clients have heard %q", heard)
		}
		at := w.Machines[2].IP() + ":9042"
		f := w.Net.Isolate(2)
		w.Clock.Sleep(4 * time.Second)
		if heard := l.heardSo(); !slices.Equal(heard, []string{"STATUS_CHANGE DOWN " + at}) {
			t.Errorf("of a node that is out of reach for four seconds clients have heard %q", heard)
		}
		f.Heal()
		w.Clock.Sleep(20 * time.Second)
		if heard := l.heardSo(); !slices.Equal(heard, []string{"STATUS_CHANGE DOWN " + at, "STATUS_CHANGE UP " + at}) {
			t.Errorf("clients have heard %q of a node that is back", heard)
		}
	})
}

// TestStrangersAreRefused has nodes come that must not.
func TestStrangersAreRefused(t *testing.T) {
	inRing(t, 2, func(r *testRing) {
		r.settle()
		for name, c := range map[string]struct {
			change func(*node.Options)
			want   string
		}{
			"name":        {func(o *node.Options) { o.Config.ClusterName = "Other" }, `cluster "Other"`},
			"itself only": {func(o *node.Options) { o.Config.Join = []string{o.Config.ListenAddress} }, "starts without --join"},
			"key": {func(o *node.Options) {
				o.Config.ClusterKeyFile = "/key"
				if err := vfs.WriteFileAtomic(o.FS, "/key", []byte("sixteen letters!")); err != nil {
					r.t.Error(err)
				}
			}, "--cluster-key-file"},
			"short key": {func(o *node.Options) {
				o.Config.ClusterKeyFile = "/key"
				if err := vfs.WriteFileAtomic(o.FS, "/key", []byte("fifteen letters")); err != nil {
					r.t.Error(err)
				}
			}, "has 15 bytes, which can be guessed: at least 16"},
			"no key": {func(o *node.Options) { o.Config.ClusterKeyFile = "/none" }, "cluster-key-file"},
		} {
			r.disks, r.nodes = append(r.disks[:2], vfs.NewMem()), append(r.nodes[:2], nil)
			if err := r.try(2, c.change); err == nil || !strings.Contains(err.Error(), c.want) {
				r.t.Errorf("%s: %v, want %s", name, err, c.want)
			}
		}
		// One that has founded a cluster of its own cannot join another.
		if err := r.try(2, func(o *node.Options) { o.Config.Join = nil }); err != nil {
			r.t.Fatal(err)
		}
		r.want(2, ring.One, 0, "SELECT * FROM system.peers_v2")
	})
}

// TestCopyOfADirectory starts a second process on a copy of a running node's
// data.
func TestCopyOfADirectory(t *testing.T) {
	inRing(t, 2, func(r *testRing) {
		r.table()
		r.disks, r.nodes = append(r.disks, r.disks[1].CrashClone(vfs.CrashOptions{})), append(r.nodes, nil)
		if err := r.try(2); err == nil || !strings.Contains(err.Error(), "two live nodes have the host id") {
			r.t.Errorf("%v", err)
		}
		r.must(0, ring.Quorum, insert, 1, "x")
	})
}

// TestKey has a cluster whose nodes share a secret.
func TestKey(t *testing.T) {
	inRing(t, 0, func(r *testRing) {
		secret := func(o *node.Options) {
			o.Config.ClusterKeyFile = "/key"
			if err := vfs.WriteFileAtomic(o.FS, "/key", []byte("sixteen letters!")); err != nil {
				r.t.Error(err)
			}
		}
		for i := range 2 {
			r.disks, r.nodes = append(r.disks, vfs.NewMem()), append(r.nodes, nil)
			if err := r.try(i, secret); err != nil {
				r.t.Fatal(err)
			}
		}
		r.table()
		r.must(0, ring.Quorum, insert, 1, "x")
	})
}

// TestRecoveredStarts starts a node that was recovered by force while those of
// the old generation still run: they refuse it, and that is theirs to mend.
func TestRecoveredStarts(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		r.must(0, ring.All, insert, 1, "x")
		r.pause(time.Minute) // all three vote
		o, _ := r.options(0)
		r.kill(0)
		o.FS = r.disks[0]
		if g, err := node.Recover(o); err != nil || g != 2 {
			r.t.Fatalf("generation %d, %v", g, err)
		}
		r.start(0)
		r.want(0, ring.One, 1, "SELECT k, v FROM ks.t")
		r.kill(0)
		r.start(0)
		r.eventually(func() error { return r.do(0, ring.One, "ALTER TABLE ks.t ADD w int") })
	})
}

// TestRecovery loses the quorum of the metadata log for good, begins a new
// generation and brings back a node of the old one, whose rows have a column
// that only the lost quorum knew, and which has dropped a table.
func TestRecovery(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		r.must(0, ring.All, insert, 1, "x")
		r.must(0, ring.All, "CREATE TABLE ks.dropped (k int PRIMARY KEY)")
		r.must(0, ring.All, "INSERT INTO ks.dropped (k) VALUES (1)")
		r.pause(time.Minute) // all three vote
		r.kill(0)
		r.eventually(func() error { return r.do(1, ring.One, "ALTER TABLE ks.t ADD lost text") })
		r.must(1, ring.Quorum, "UPDATE ks.t SET lost = 'wxyz' WHERE k = 1")
		r.must(1, ring.One, "DROP TABLE ks.dropped")
		r.kill(1)
		r.kill(2)
		o, _ := r.options(0)
		o.FS = r.disks[0]
		if g, err := node.Recover(o); err != nil || g != 2 {
			r.t.Fatalf("generation %d, %v", g, err)
		}
		r.start(0)
		r.eventually(func() error { return r.do(0, ring.One, "ALTER TABLE ks.t ADD w int") })
		if err := r.try(1); err == nil || !strings.Contains(err.Error(), "generation") {
			r.t.Fatalf("a node of the old generation: %v", err)
		}
		o, _ = r.options(1)
		if g, err := node.Rejoin(r.t.Context(), o); err != nil || g != 2 {
			r.t.Fatalf("generation %d, %v", g, err)
		}
		r.start(1)
		r.settle()
		r.want(1, ring.One, 1, "SELECT k, v, w FROM ks.t")
		r.want(1, ring.One, 0, "SELECT k FROM ks.t WHERE w = 2004384122 ALLOW FILTERING") // the bytes of wxyz
		r.want(0, ring.One, 1, "SELECT k FROM ks.dropped")
		r.want(1, ring.Quorum, 1, "SELECT k FROM ks.dropped WHERE k = 1")
		r.must(1, ring.Quorum, "INSERT INTO ks.dropped (k) VALUES (2)")
		r.must(1, ring.Quorum, "INSERT INTO ks.t (k, w) VALUES (2, 2)")
	})
}
