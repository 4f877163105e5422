package gossip

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hashicorp/memberlist"
)

func aliveNode(host byte, boot uint64, m meta) *memberlist.Node {
	return &memberlist.Node{Name: nameOf([16]byte{host}, boot), Addr: []byte{10, 0, 0, host}, Port: 7000, Meta: m.append(nil)}
}

// drain takes all events as "kind boot epoch".
func drain(ms *members) (out []string) {
	for {
		e, ok := ms.next()
		if !ok {
			return out
		}
		out = append(out, fmt.Sprintf("%v %d %d", e.Kind, e.Member.Boot, e.Member.Epoch))
	}
}

func TestMembersTellsSteps(t *testing.T) {
	ms := newMembers([16]byte{1}, 5)
	join := func(boot, epoch uint64) {
		t.Helper()
		n := aliveNode(2, boot, meta{boot: boot, epoch: epoch})
		if err := ms.NotifyAlive(n); err != nil {
			t.Fatal(err)
		}
		ms.NotifyJoin(n)
	}
	leave := func(boot uint64) { ms.NotifyLeave(aliveNode(2, boot, meta{boot: boot})) }
	expect := func(want ...string) {
		t.Helper()
		if got := drain(ms); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	join(1, 7)
	expect("up 1 7")
	ms.NotifyUpdate(aliveNode(2, 1, meta{boot: 1, epoch: 8}))
	expect("changed 1 8")
	leave(1)
	join(1, 8)
	expect() // nobody listened in between
	join(2, 8)
	leave(1) // memberlist finds out about the process before
	expect("down 1 8", "up 2 8")
	if err := ms.NotifyAlive(aliveNode(2, 1, meta{boot: 1})); err == nil {
		t.Error("an older boot count is let in")
	}
	leave(2)
	join(3, 9)
	leave(3)
	expect("down 2 8")
	if l := ms.list(); len(l) != 1 || l[0].Up || l[0].Boot != 3 {
		t.Errorf("members %+v", l)
	}
	ms.missing([]Peer{{Host: [16]byte{2}}})
	if len(ms.list()) != 1 {
		t.Error("a peer is forgotten")
	}
	ms.missing(nil)
	if len(ms.list()) != 0 {
		t.Error("who is down and no peer is remembered")
	}
	join(3, 9)
	ms.close()
	join(4, 9)
	expect()
}

// What is waiting for a listener who does not listen is one record a member.
func TestMembersQueueIsBounded(t *testing.T) {
	ms := newMembers([16]byte{1}, 5)
	for i := range uint64(1000) {
		n := aliveNode(byte(2+i%3), 1, meta{boot: 1, epoch: i})
		ms.NotifyJoin(n)
		ms.NotifyLeave(n)
	}
	if len(ms.queue) != 3 || len(ms.hosts) != 3 || len(ms.names) != 0 {
		t.Errorf("%d queued, %d hosts, %d names", len(ms.queue), len(ms.hosts), len(ms.names))
	}
}

func TestMembersRefuses(t *testing.T) {
	ms := newMembers([16]byte{1}, 5)
	ok := func() *memberlist.Node { return aliveNode(2, 1, meta{boot: 1}) }
	if err := ms.NotifyAlive(ok()); err != nil {
		t.Fatal(err)
	}
	if err := ms.NotifyAlive(aliveNode(1, 5, meta{boot: 5})); err != nil {
		t.Errorf("this node: %v", err)
	}
	for name, spoil := range map[string]func(n *memberlist.Node){
		"name":        func(n *memberlist.Node) { n.Name = "x" },
		"meta":        func(n *memberlist.Node) { n.Meta = n.Meta[1:] },
		"boot count":  func(n *memberlist.Node) { n.Meta = meta{boot: 2}.append(nil) },
		"no address":  func(n *memberlist.Node) { n.Addr = nil },
		"long one":    func(n *memberlist.Node) { n.Addr = make([]byte, 17) },
		"no port":     func(n *memberlist.Node) { n.Port = 0 },
		"own, before": func(n *memberlist.Node) { *n = *aliveNode(1, 4, meta{boot: 4}) },
	} {
		n := ok()
		spoil(n)
		if err := ms.NotifyAlive(n); err == nil {
			t.Errorf("%s: let in", name)
		}
	}
	if ms.double() {
		t.Error("an old process of this node is another one")
	}
	if err := ms.NotifyAlive(aliveNode(1, 6, meta{boot: 6})); err == nil || !ms.double() || ms.double() {
		t.Errorf("another process with this host id: %v", err)
	}
	for i := range maxMembers {
		ms.NotifyJoin(&memberlist.Node{Name: nameOf([16]byte{2: byte(i), 3: byte(i >> 8)}, 1), Addr: []byte{10, 0, 0, 1}, Port: 1, Meta: meta{boot: 1}.append(nil)})
	}
	if err := ms.NotifyAlive(ok()); err == nil {
		t.Error("more members than there may be")
	}
	if err := ms.NotifyAlive(aliveNode(0, 1, meta{boot: 1})); err != nil {
		t.Errorf("somebody known: %v", err)
	}
	if err := ms.NotifyAlive(aliveNode(0, 2, meta{boot: 2})); err == nil {
		t.Error("more names than there may be")
	}
}
