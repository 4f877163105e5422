package gossip

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
)

func TestDeathAndRestart(t *testing.T) {
	for _, n := range []int{3, 9} {
		form(t, n, func(t *testing.T, r *ring) {
			r.stop(n - 1)
			t.Logf("a death is known after %v", r.until("death", r.all(n-2)))
			r.start(n - 1)
			t.Logf("a restart is known after %v", r.until("restart", r.all(n-1)))
			// A restart before its death is known is Down and Up at once.
			r.stop(n - 1)
			r.start(n - 1)
			t.Logf("a quick restart is known after %v", r.until("quick restart", func() bool {
				for _, o := range r.nodes[:n-1] {
					if m := o.last(r.nodes[n-1].host); !m.Up || m.Boot != 3 {
						return false
					}
				}
				return true
			}))
			time.Sleep(time.Minute)
			if !r.all(n - 1)() {
				t.Error("what was said of the process before is heard")
			}
		})
	}
}

// accusation is memberlist's message that a member is suspect or dead.
func accusation(kind, incarnation byte, of, from *node) []byte {
	b := append(append([]byte{kind, 0x83}, "\xabIncarnation"...), incarnation)
	for _, field := range []struct{ key, value string }{{"Node", nameOf(of.host, of.boot)}, {"From", nameOf(from.host, from.boot)}} {
		b = append(append(b, 0xa0|byte(len(field.key))), field.key...)
		b = append(append(b, 0xd9, byte(len(field.value))), field.value...)
	}
	return labelled(b...)
}

// Who hears that it is suspect takes that back; who hears that it is dead comes
// back. Gossip reaches everybody soon or, by the exchange of all state, later.
func TestAccusationsAreRefuted(t *testing.T) {
	form(t, 9, func(t *testing.T, r *ring) {
		accused, hears := r.nodes[1], r.nodes[0]
		hears.Packet(accusation(kindSuspect, 20, accused, r.nodes[2]), "10.0.0.2:7000")
		time.Sleep(time.Minute)
		r.until("suspicion is refuted", r.all(8))
		before := len(hears.told())
		hears.Packet(accusation(kindDead, 40, accused, r.nodes[2]), "10.0.0.2:7000")
		r.until("death is told", func() bool { return len(hears.told()) > before })
		r.until("who is dead comes back", r.all(8))
		if e := hears.told()[before:]; len(e) < 2 || e[0].Kind != Down || e[1].Kind != Up || e[1].Member.Host != accused.host {
			t.Errorf("told %v", e)
		}
	})
}

func TestPartitionAndHeal(t *testing.T) {
	// Both shorter and longer than the dead are remembered by memberlist.
	for _, lasts := range []time.Duration{10 * time.Second, 3 * time.Minute} {
		form(t, 9, func(t *testing.T, r *ring) {
			left := map[string]bool{}
			for _, n := range r.nodes[:4] {
				left[n.port.address] = true
			}
			r.cut(func(from, to string) bool { return left[from] != left[to] })
			time.Sleep(lasts)
			r.until("both halves see the other one's death", func() bool {
				return r.all(3, 0, 1, 2, 3)() && r.all(4, 4, 5, 6, 7, 8)()
			})
			r.cut(nil)
			t.Logf("%v apart are healed after %v", lasts, r.until("heal", r.all(8)))
		})
	}
}

func TestLossIsNoDeath(t *testing.T) {
	form(t, 5, func(t *testing.T, r *ring) {
		r.net.mu.Lock()
		r.net.lose = func() bool { return r.net.src.Uint64N(10) == 0 }
		r.net.mu.Unlock()
		time.Sleep(10 * time.Minute)
		r.until("one packet in ten lost", r.all(4))
	})
}

func TestEpochAndLoad(t *testing.T) {
	form(t, 3, func(t *testing.T, r *ring) {
		for i := range uint64(1000) {
			r.nodes[1].SetEpoch(i)
			r.nodes[1].SetLoad(2 * i)
		}
		r.until("epoch and load", func() bool {
			a, b := r.nodes[0].last(r.nodes[1].host), r.nodes[2].last(r.nodes[1].host)
			return a.Epoch == 999 && a.Load == 1998 && a == b
		})
		for _, n := range []int{0, 2} {
			if told := len(r.nodes[n].told()); told > 4 {
				t.Errorf("a burst of changes is told in %d events", told)
			}
		}
		members := r.nodes[1].Members()
		if len(members) != 3 || members[0].Host != r.nodes[1].host || members[0].Epoch != 999 || members[1].Host != r.nodes[0].host || !members[2].Up {
			t.Errorf("members %+v", members)
		}
	})
}

func TestLeave(t *testing.T) {
	form(t, 3, func(t *testing.T, r *ring) {
		if err := r.nodes[2].Leave(10 * time.Second); err != nil {
			t.Fatal(err)
		}
		t.Logf("a leave is known after %v", r.until("leave", r.all(1, 0, 1)))
		r.stop(2)
		r.start(2)
		r.until("back", r.all(2))
	})
}

func TestKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t, 3, 1)
		r.keys = [][]byte{[]byte("new"), []byte("old")}
		r.start(0)
		r.keys = [][]byte{[]byte("old"), []byte("new")}
		r.start(1)
		defer r.close()
		r.until("two keys, each sealing with its own", r.all(1))
		r.nodes[1].SetEpoch(7)
		r.until("packets", func() bool { return r.nodes[0].last(r.nodes[1].host).Epoch == 7 })
		for _, keys := range [][][]byte{nil, {[]byte("other")}} {
			r.keys = keys
			n := r.nodes[2]
			n.boot++
			g := r.begin(n)
			if _, err := g.Join([]string{r.nodes[0].port.address}); err == nil {
				t.Errorf("keys %q: let in", keys)
			}
			time.Sleep(time.Minute)
			if !r.all(1, 0, 1)() || n.sees() != 0 {
				t.Errorf("keys %q: heard", keys)
			}
			r.stop(2)
		}
	})
}

func TestOtherClusterIsNotHeard(t *testing.T) {
	form(t, 2, func(t *testing.T, r *ring) {
		other := newRing(t, 1, 2)
		other.cluster = [16]byte{0xc2}
		other.nodes[0].host = [16]byte{9}
		other.net, other.nodes[0].port = r.net, r.net.port("10.0.0.9:7000")
		other.start(0)
		defer other.close()
		if _, err := other.nodes[0].Join([]string{r.nodes[0].port.address}); err == nil {
			t.Error("let in")
		}
		time.Sleep(time.Minute)
		if !r.all(1)() || other.nodes[0].sees() != 0 {
			t.Error("heard")
		}
	})
}

// A listener who is slow holds nobody up, and hears what is, not what was.
func TestSlowListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t, 3, 1)
		blocked, release := make(chan struct{}), make(chan struct{})
		var first sync.Once
		r.nodes[0].before = func() {
			first.Do(func() { close(blocked) })
			<-release
		}
		r.startAll()
		<-blocked
		defer r.close()
		r.until("the others", r.all(2, 1, 2))
		for i := range uint64(20) {
			r.nodes[1].SetEpoch(i + 1)
			time.Sleep(3 * time.Second)
		}
		close(release)
		r.until("what is", func() bool { return r.nodes[0].last(r.nodes[1].host).Epoch == 20 })
		if told := len(r.nodes[0].told()); told > 4 {
			t.Errorf("%d events", told)
		}
	})
}

func TestHostile(t *testing.T) {
	form(t, 3, func(t *testing.T, r *ring) {
		g := r.nodes[0].Gossip
		src := rand.NewSeeded(1)
		for range 20_000 {
			b := make([]byte, src.Uint64N(300))
			src.Read(b)
			if src.Uint64N(8) > 0 {
				kinds := []byte{kindPing, kindIndirectPing, kindAck, kindSuspect, kindAlive, kindDead, kindNack, kindCompound, kindCRC, byte(src.Uint64())}
				b = labelled(append([]byte{kinds[src.Uint64N(uint64(len(kinds)))]}, b...)...)
			}
			g.Packet(b, "10.9.9.9:1")
		}
		g.Packet(labelled(kindPing), "nonsense")
		synctest.Wait()
		if n := len(g.Members()); n != 3 {
			t.Errorf("%d members", n)
		}
		// Streams that say nothing are closed, and more than a few at once.
		var ends []net.Conn
		for range maxStreams + 3 {
			near, far := net.Pipe()
			g.Stream(countedConn{far, r.nodes[0].port, "10.9.9.9:1"})
			ends = append(ends, near)
		}
		for i, c := range ends {
			if i >= maxStreams {
				if _, err := c.Read(make([]byte, 1)); err == nil {
					t.Error("a stream more than there may be is read")
				}
			}
		}
		for _, c := range ends { // until the deadline
			if _, err := bytes.NewBuffer(nil).ReadFrom(c); err != nil {
				t.Error(err)
			}
		}
		// One that does not end.
		near, far := net.Pipe()
		g.Stream(countedConn{far, r.nodes[0].port, "10.9.9.9:1"})
		sent := 0
		for chunk := append(labelled(6), bytes.Repeat([]byte{0xdb}, 1<<16)...); ; chunk = chunk[2+len(testLabel)+1:] {
			n, err := near.Write(chunk)
			if sent += n; err != nil {
				break
			}
			if len(chunk) < 1<<12 {
				chunk = bytes.Repeat([]byte{0xdb}, 1<<16)
			}
			if sent > maxStream+1<<17 {
				t.Fatal("a stream without end is read")
			}
		}
		time.Sleep(30 * time.Second)
		r.until("it goes on", r.all(2))
	})
}

func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t, 3, 1)
		r.startAll()
		r.until("forming", r.all(2))
		n := r.nodes[0]
		r.cut(func(string, string) bool { return true })
		joined := make(chan error, 1)
		go func() {
			_, err := n.Join([]string{"10.0.0.77:7000"})
			joined <- err
		}()
		synctest.Wait()
		g := n.Gossip
		g.Close()
		told := len(n.told())
		if err := <-joined; err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("joined nobody: %v", err)
		}
		g.Close()
		g.Packet(labelled(kindPing), "10.0.0.1:1")
		near, far := net.Pipe()
		g.Stream(countedConn{far, n.port, "10.9.9.9:1"})
		if _, err := near.Read(make([]byte, 1)); err == nil {
			t.Error("a stream to who is closed")
		}
		if len(g.Members()) != 3 {
			t.Error("what was known is gone")
		}
		time.Sleep(time.Minute) // suspicions that were under way
		if len(n.told()) != told {
			t.Errorf("told after Close: %v", n.events[told:])
		}
		r.nodes[0].Gossip = nil
		r.close()
	})
}

func TestStartRefuses(t *testing.T) {
	good := Options{Address: "10.0.0.1:7000", Network: &port{}, Notify: func(Event) {}, Clock: clock.Real, Rand: rand.NewSeeded(1), Log: slog.New(slog.DiscardHandler)}
	for name, spoil := range map[string]func(o *Options){
		"no address": func(o *Options) { o.Address = "" },
		"a name":     func(o *Options) { o.Address = "host:7000" },
		"any":        func(o *Options) { o.Address = "0.0.0.0:7000" },
		"no port":    func(o *Options) { o.Address = "10.0.0.1:0" },
		"no network": func(o *Options) { o.Network = nil },
		"no notify":  func(o *Options) { o.Notify = nil },
	} {
		o := good
		spoil(&o)
		if g, err := Start(o); err == nil {
			g.Close()
			t.Errorf("%s: started", name)
		}
	}
	g, err := Start(good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Join([]string{"host:1"}); err == nil {
		t.Error("joined a name")
	}
	g.Close()
}

// FuzzPacket gives a running node a packet of its cluster.
func FuzzPacket(f *testing.F) {
	for kind := range byte(14) {
		f.Add([]byte{kind, 0x80})
	}
	f.Add([]byte{kindCompound, 2, 0, 1, 0, 2, kindAck, kindNack, 7})
	f.Add([]byte("\x04\x86\xa4Addr\xa4\x0a\x00\x00\x02\xabIncarnation\x01\xa4Meta\xb9\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\xa4Node\xd9\x2200000000000000000000000000000005-1\xa4Port\xcd\x1b\x58\xa3Vsn\xa6\x01\x05\x05\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzNode(t, func(g *Gossip) { g.Packet(labelled(b...), "10.0.0.2:1") }) })
}

// FuzzStream gives a running node a stream of its cluster.
func FuzzStream(f *testing.F) {
	for kind := range byte(14) {
		f.Add([]byte{kind, 0x80})
	}
	f.Add([]byte("\x06\x83\xa4Join\xc2\xa5Nodes\x01\xacUserStateLen\x00\x81\xa4Name\xa1a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzNode(t, func(g *Gossip) {
			near, far := net.Pipe()
			g.Stream(countedConn{far, newNetwork(1).port("10.0.0.2:1"), "10.0.0.2:1"})
			go near.Write(labelled(b...))
			time.AfterFunc(time.Minute, func() { near.Close() })
			bytes.NewBuffer(nil).ReadFrom(near)
		})
	})
}

func fuzzNode(t *testing.T, f func(g *Gossip)) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t, 1, 1)
		r.start(0)
		var told atomic.Int32
		r.nodes[0].before = func() { told.Add(1) }
		f(r.nodes[0].Gossip)
		synctest.Wait()
		if told.Load() > 256 {
			t.Errorf("told %d events", told.Load())
		}
		time.Sleep(time.Minute) // suspicions, answers for others
		r.close()
	})
}

// A network that refuses at once is a failure of the other side to memberlist,
// not of this one.
func TestRefusedPacketsAreSuspected(t *testing.T) {
	form(t, 3, func(t *testing.T, r *ring) {
		r.net.mu.Lock()
		r.net.refuse = true
		r.net.mu.Unlock()
		r.stop(2)
		r.until("death", r.all(1))
	})
}
