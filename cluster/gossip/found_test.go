package gossip

import (
	"slices"
	"testing"
)

// Who is found before the listener has heard of it is told when it goes, however
// soon, and is not told to be up again.
func TestFoundAreToldToGo(t *testing.T) {
	ms := newMembers([16]byte{1}, 5)
	join := func(host byte, boot, epoch uint64) {
		ms.NotifyJoin(aliveNode(host, boot, meta{boot: boot, epoch: epoch}))
	}
	leave := func(host byte, boot uint64) { ms.NotifyLeave(aliveNode(host, boot, meta{boot: boot})) }
	found := func(want ...byte) {
		t.Helper()
		var got []byte
		for _, m := range ms.found() {
			if got = append(got, m.Host[0]); !m.Up {
				t.Errorf("%d is found and not up", m.Host[0])
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("found %v, want %v", got, want)
		}
	}
	expect := func(want ...string) {
		t.Helper()
		if got := drain(ms); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	join(3, 1, 7)
	join(2, 1, 7)
	found(2, 3)
	leave(3, 1) // before anybody was told
	expect("down 1 7")
	found(2)
	join(2, 1, 8)
	expect("changed 1 8")
	found(2) // who has been told is found all the same
	join(2, 2, 8)
	found() // of who is new in its place is told in order
	expect("down 1 8", "up 2 8")
	leave(2, 2)
	expect("down 2 8")
	found()
	join(2, 2, 9)
	found() // has been told to be down, and is told to be back
	expect("up 2 9")
}
