package ring

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/ilion-db/ilion/internal/rand"
	"pgregory.net/rapid"
)

func must(t *testing.T, nodes ...Node) *Ring {
	t.Helper()
	r, err := New(nodes)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSimpleReplicas(t *testing.T) {
	r := must(t, Node{Tokens: []Token{0, 30}}, Node{Tokens: []Token{10}}, Node{Tokens: []Token{20, 40}})
	for _, c := range []struct {
		token Token
		rf    int
		want  []int
	}{
		{0, 1, []int{0}}, {1, 1, []int{1}}, {10, 2, []int{1, 2}}, {41, 1, []int{0}}, {35, 2, []int{2, 0}},
		{25, 3, []int{0, 2, 1}}, {25, 9, []int{0, 2, 1}}, {25, 0, nil},
	} {
		if got := r.SimpleReplicas(nil, c.token, c.rf); !slices.Equal(got, c.want) {
			t.Errorf("token %d rf %d: %v, want %v", c.token, c.rf, got, c.want)
		}
	}
}

func TestNetworkReplicas(t *testing.T) {
	node := func(dc, rack string, tok Token) Node { return Node{DC: dc, Rack: rack, Tokens: []Token{tok}} }
	r := must(t, node("a", "r1", 0), node("a", "r1", 10), node("a", "r2", 20), node("b", "r1", 30), node("a", "r1", 40))
	for _, c := range []struct {
		factors map[string]int
		want    []int
	}{
		{map[string]int{"a": 1}, []int{0}},
		{map[string]int{"a": 2}, []int{0, 2}},
		{map[string]int{"a": 3}, []int{0, 1, 2}},
		{map[string]int{"a": 2, "b": 1}, []int{0, 2, 3}},
		{map[string]int{"a": 9, "b": 9}, []int{0, 1, 2, 3, 4}},
		{map[string]int{"c": 3}, nil},
	} {
		if got := r.NetworkReplicas(nil, 0, c.factors); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.factors, got, c.want)
		}
	}
}

func TestReplicaProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var nodes []Node
		src := rand.NewSeeded(rapid.Uint64().Draw(t, "seed"))
		for i := range rapid.IntRange(1, 8).Draw(t, "nodes") {
			nodes = append(nodes, Node{
				HostID: [16]byte{byte(i)}, DC: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "dc"),
				Rack: rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "rack"), Tokens: AllocateTokens(4, src),
			})
		}
		r, err := New(nodes)
		if err != nil {
			return // a token came twice
		}
		tok := Token(src.Uint64())
		factors := map[string]int{"a": rapid.IntRange(0, 4).Draw(t, "a"), "b": rapid.IntRange(0, 4).Draw(t, "b")}
		got := r.NetworkReplicas(nil, tok, factors)
		for dc, rf := range factors {
			racks, n := map[string]bool{}, 0
			for _, i := range got {
				if nodes[i].DC == dc {
					n++
					racks[nodes[i].Rack] = true
				}
			}
			if want := min(rf, r.sizes[dc]); n != want || len(racks) != min(n, r.racks[dc]) {
				t.Fatalf("%s: %d replicas on %d racks, want %d of %d", dc, n, len(racks), want, r.racks[dc])
			}
		}
		slices.Sort(got)
		if len(slices.Compact(got)) != len(got) {
			t.Fatal("a replica twice")
		}
		sum, holders := 0.0, 0
		for _, g := range r.Ranges() {
			if sum += float64(uint64(g.End)-uint64(g.Start)) / (1 << 64); g.Start == g.End {
				sum = 1
			}
			if g.Contains(tok) {
				holders++
			}
		}
		if math.Abs(sum-1) > 1e-9 || holders != 1 {
			t.Fatalf("owned %v, %d ranges hold a token", sum, holders)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	if _, err := New([]Node{{Tokens: []Token{1}}, {Tokens: []Token{1}}}); err == nil {
		t.Error("a token twice")
	}
	if _, err := New([]Node{{}}); err == nil {
		t.Error("no token")
	}
	if r := must(t); r.SimpleReplicas(nil, 0, 1) != nil || r.NetworkReplicas(nil, 0, map[string]int{"a": 1}) != nil {
		t.Error("an empty ring has owners")
	}
}

func TestAllocateTokens(t *testing.T) {
	a, b := AllocateTokens(16, rand.NewSeeded(1)), AllocateTokens(16, rand.NewSeeded(1))
	if !slices.Equal(a, b) || !slices.IsSorted(a) {
		t.Fatal("not deterministic or not sorted")
	}
	r := must(t, Node{Tokens: a})
	for _, g := range r.Ranges() {
		if d := uint64(g.End) - uint64(g.Start); d>>59 != 2 && d != 1<<60 {
			t.Fatalf("a range of %x", d)
		}
	}
}

func TestConsistency(t *testing.T) {
	for _, c := range []struct {
		level ConsistencyLevel
		name  string
		want  string // blockFor of rf 1, 2, 3, 5
	}{
		{Any, "ANY", "1 1 1 1"}, {One, "ONE", "1 1 1 1"}, {Two, "TWO", "2 2 2 2"}, {Three, "THREE", "3 3 3 3"},
		{Quorum, "QUORUM", "1 2 2 3"}, {All, "ALL", "1 2 3 5"}, {LocalQuorum, "LOCAL_QUORUM", "1 2 2 3"},
		{EachQuorum, "EACH_QUORUM", "1 2 2 3"}, {Serial, "SERIAL", "1 2 2 3"}, {LocalSerial, "LOCAL_SERIAL", "1 2 2 3"},
		{LocalOne, "LOCAL_ONE", "1 1 1 1"},
	} {
		l := c.level
		got := fmt.Sprint(l.BlockFor(1), l.BlockFor(2), l.BlockFor(3), l.BlockFor(5))
		if p, ok := ParseConsistency(c.name); got != c.want || l.String() != c.name || !ok || p != l || !l.Valid() {
			t.Errorf("%s: %s, want %s %s", l, got, c.name, c.want)
		}
	}
	if ConsistencyLevel(11).Valid() || ConsistencyLevel(11).String() != "UNKNOWN(11)" {
		t.Error("level 11")
	}
	if _, ok := ParseConsistency("one"); ok {
		t.Error("lower case")
	}
	if !Serial.IsSerial() || One.IsSerial() || !LocalOne.IsLocal() || Quorum.IsLocal() {
		t.Error("kinds")
	}
}
