package metadata

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

func never([16]byte) bool { return false }

// membersIn are members in data centres and racks, as "dc/rack".
func membersIn(places ...[2]string) (members []Member) {
	for i, p := range places {
		members = append(members, Member{HostID: hostN(i), DC: p[0], Rack: p[1]})
	}
	return members
}

// settled applies steps until there is none, and fails if that takes long.
func settled(t *testing.T, members []Member, voters [][16]byte, dead func([16]byte) bool) [][16]byte {
	t.Helper()
	for range 20 {
		next := nextVoters(members, voters, dead, func(h [16]byte) bool { return !dead(h) })
		if next == nil {
			return voters
		}
		if len(next)%2 == 0 || len(next) > maxVoters {
			t.Fatalf("%d voters after %d", len(next), len(voters))
		}
		voters = sortedHosts(next)
	}
	t.Fatalf("voters %x of %v never settle", voters, members)
	return nil
}

func TestVotersFor(t *testing.T) {
	got := ""
	for n := range 10 {
		got += fmt.Sprint(votersFor(n))
	}
	if got != "1113355555" {
		t.Error(got)
	}
}

func TestVotersSpread(t *testing.T) {
	two := membersIn([2]string{"a", "1"}, [2]string{"a", "2"}, [2]string{"a", "3"}, [2]string{"b", "1"}, [2]string{"b", "1"}, [2]string{"b", "2"})
	voters := settled(t, two, [][16]byte{hostN(0)}, never)
	dcs, racks := map[string]int{}, map[string]int{}
	for _, v := range voters {
		i, _ := memberAt(two, v)
		dcs[two[i].DC]++
		racks[two[i].DC+two[i].Rack]++
	}
	if len(voters) != 5 || dcs["a"] < 2 || dcs["b"] < 2 || len(racks) != 5 {
		t.Errorf("%v, %v", dcs, racks)
	}
	// Three voters of one data centre make room for another's.
	three := membersIn([2]string{"a", "1"}, [2]string{"a", "1"}, [2]string{"a", "2"}, [2]string{"b", "1"})
	voters = settled(t, three, [][16]byte{hostN(0), hostN(1), hostN(2)}, never)
	if len(voters) != 3 || !contains(voters, hostN(3)) || !contains(voters, hostN(2)) {
		t.Errorf("%x", voters)
	}
}

func TestVotersReplaced(t *testing.T) {
	members := membersIn([2]string{"a", "1"}, [2]string{"a", "2"}, [2]string{"a", "3"}, [2]string{"a", "1"})
	voters := [][16]byte{hostN(0), hostN(1), hostN(2)}
	dead := func(h [16]byte) bool { return h == hostN(0) }
	if got := settled(t, members, voters, dead); contains(got, hostN(0)) || !contains(got, hostN(3)) {
		t.Errorf("a dead voter stays: %x", got)
	}
	if got := settled(t, members[:3], voters, dead); !contains(got, hostN(0)) {
		t.Errorf("a dead voter goes although nobody can replace it: %x", got)
	}
	if got := settled(t, members[1:], voters, never); contains(got, hostN(0)) || len(got) != 3 {
		t.Errorf("a voter that is no member stays: %x", got)
	}
	if got := settled(t, members[1:3], voters, never); contains(got, hostN(0)) || len(got) != 1 {
		t.Errorf("two members have %d voters", len(got))
	}
	if next := nextVoters(members, voters[:1], never, never); next != nil {
		t.Error("a node that is not live becomes a voter")
	}
	one := func(h [16]byte) bool { return h == hostN(1) }
	if next := nextVoters(members, voters[:1], never, one); next != nil {
		t.Errorf("one live node alone becomes a voter: %x", next)
	}
	if next := nextVoters(members, voters[:1], never, func([16]byte) bool { return true }); len(next) != 3 {
		t.Errorf("%d voters after one", len(next))
	}
	if next := nextVoters(members[1:], voters, never, one); len(next) != 1 || next[0] != hostN(1) {
		t.Errorf("nobody live can take the place of one that left, and %x vote", next)
	}
}

// TestVotersSettle builds clusters at random: voters settle, as many as there
// should be, members all, and no worse spread than can be had by one change.
func TestVotersSettle(t *testing.T) {
	src := rand.NewSeeded(5)
	for range 300 {
		var members []Member
		for i := range 1 + src.Uint64N(9) {
			members = append(members, Member{HostID: hostN(int(i)), DC: fmt.Sprint(src.Uint64N(3)), Rack: fmt.Sprint(src.Uint64N(3))})
		}
		voters := settled(t, members, [][16]byte{hostN(int(src.Uint64N(12)))}, never)
		if len(voters) != votersFor(len(members)) {
			t.Fatalf("%d voters of %d", len(voters), len(members))
		}
		for _, v := range voters {
			if _, found := memberAt(members, v); !found {
				t.Fatalf("%x is no member", v)
			}
		}
	}
}

// tickCounter counts the tickers that run.
type tickCounter struct {
	clock.Clock
	running atomic.Int32
}

func (c *tickCounter) NewTicker(d time.Duration) clock.Ticker {
	c.running.Add(1)
	return countedTicker{c.Clock.NewTicker(d), c}
}

type countedTicker struct {
	clock.Ticker
	of *tickCounter
}

func (t countedTicker) Stop() {
	t.of.running.Add(-1)
	t.Ticker.Stop()
}

// Only voters with others have time to keep: most nodes of a large ring do not
// vote, and one that is alone has nobody to keep time with.
func TestOnlyVotersTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clocks [2]tickCounter
		check := func(what string, want ...int32) {
			t.Helper()
			synctest.Wait()
			for i := range clocks {
				if got := clocks[i].running.Load(); got != want[i] {
					t.Errorf("%s: node %d has %d tickers, want %d", what, i, got, want[i])
				}
			}
		}
		open := func(i int, joined []byte) *Replicated {
			m, o := memberN(i), testOptions(i)
			clocks[i].Clock = o.Clock
			o.Clock, o.Joined = &clocks[i], joined
			if i == 0 {
				o.Found = &m
			}
			l, err := OpenReplicated(vfs.NewMem(), dir, o)
			if err != nil {
				t.Fatal(err)
			}
			l.Start(noNetwork{})
			return l
		}
		first := open(0, nil)
		propose(t, first, 0)
		check("alone", 0, 0)
		if _, err := first.Register(context.Background(), memberN(1)); err != nil {
			t.Fatal(err)
		}
		check("with another", 1, 0)
		joined, err := first.ServePull(0, [32]byte{})
		if err != nil {
			t.Fatal(err)
		}
		second := open(1, joined)
		check("two", 1, 0)
		if err := errors.Join(first.Close(), second.Close()); err != nil {
			t.Fatal(err)
		}
		check("closed", 0, 0)
	})
}
