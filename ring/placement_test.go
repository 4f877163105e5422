package ring

import (
	"maps"
	"slices"
	"testing"

	"github.com/ilion-db/ilion/internal/rand"
	"pgregory.net/rapid"
)

func TestParseStrategy(t *testing.T) {
	const locator = "org.apache.cassandra.locator."
	for _, c := range []struct {
		replication map[string]string
		want        Strategy
		rf          int
	}{
		{map[string]string{"class": locator + "SimpleStrategy", "replication_factor": "3"}, Strategy{Simple: 3}, 3},
		{map[string]string{"class": "SimpleStrategy", "replication_factor": "0"}, Strategy{}, 0},
		{map[string]string{"class": locator + "NetworkTopologyStrategy", "a": "3", "b": "2"}, Strategy{DCs: map[string]int{"a": 3, "b": 2}}, 5},
		{map[string]string{"class": "NetworkTopologyStrategy"}, Strategy{DCs: map[string]int{}}, 0},
	} {
		got, err := ParseStrategy(c.replication)
		if err != nil || got.Simple != c.want.Simple || !maps.Equal(got.DCs, c.want.DCs) || (got.DCs == nil) != (c.want.DCs == nil) || got.RF() != c.rf {
			t.Errorf("%v: %v, RF %d, %v", c.replication, got, got.RF(), err)
		}
	}
	for _, bad := range []map[string]string{
		nil,
		{"class": locator + "LocalStrategy"},
		{"class": "SimpleStrategy"},
		{"class": "SimpleStrategy", "replication_factor": "3/1"},
		{"class": "NetworkTopologyStrategy", "a": "-1"},
	} {
		if s, err := ParseStrategy(bad); err == nil {
			t.Errorf("%v: %v", bad, s)
		}
	}
}

func TestPlace(t *testing.T) {
	h := func(hosts ...byte) (ids [][16]byte) {
		for _, b := range hosts {
			ids = append(ids, [16]byte{b})
		}
		return ids
	}
	nodes := []Node{
		{HostID: [16]byte{1}, DC: "a", Rack: "1", Tokens: []Token{0, 30}},
		{HostID: [16]byte{2}, DC: "b", Rack: "1", Tokens: []Token{10}},
		{HostID: [16]byte{3}, DC: "a", Rack: "2", Tokens: []Token{20}},
	}
	for _, c := range []struct {
		s    Strategy
		want [][][16]byte // of the ranges that end at 0, 10, 20, 30
	}{
		{Strategy{Simple: 2}, [][][16]byte{h(1, 2), h(2, 3), h(3, 1), h(1, 2)}},
		{Strategy{Simple: 9}, [][][16]byte{h(1, 2, 3), h(2, 3, 1), h(3, 1, 2), h(1, 2, 3)}},
		{Strategy{DCs: map[string]int{"a": 1}}, [][][16]byte{h(1), h(3), h(3), h(1)}},
		{Strategy{DCs: map[string]int{"a": 2, "b": 3}}, [][][16]byte{h(1, 2, 3), h(2, 3, 1), h(3, 1, 2), h(1, 2, 3)}},
		{Strategy{DCs: map[string]int{"c": 1}}, [][][16]byte{nil, nil, nil, nil}},
	} {
		p, err := Place(nodes, c.s)
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range p.Ranges {
			if want := (Range{Start: []Token{30, 0, 10, 20}[i], End: Token(10 * i)}); g.Range != want || !slices.Equal(g.Replicas, c.want[i]) || g.Changed != 0 {
				t.Errorf("%v: range %d is %v, replicas %x, want %x", c.s, i, g.Range, g.Replicas, c.want[i])
			}
		}
	}
	if _, err := Place(nil, Strategy{Simple: 1}); err == nil {
		t.Error("placed on nothing")
	}
	if _, err := Place([]Node{{}}, Strategy{Simple: 1}); err == nil {
		t.Error("placed on a node without token")
	}
}

// A placement says of every token what the ring says.
func TestPlacementAgreesWithRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := rand.NewSeeded(rapid.Uint64().Draw(t, "seed"))
		var nodes []Node
		for i := range rapid.IntRange(1, 8).Draw(t, "nodes") {
			nodes = append(nodes, Node{
				HostID: [16]byte{byte(i)}, DC: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "dc"),
				Rack: rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "rack"), Tokens: AllocateTokens(3, src),
			})
		}
		s := Strategy{Simple: rapid.IntRange(0, 4).Draw(t, "simple")}
		if rapid.Bool().Draw(t, "network") {
			s = Strategy{DCs: map[string]int{"a": rapid.IntRange(0, 4).Draw(t, "a"), "b": rapid.IntRange(0, 4).Draw(t, "b")}}
		}
		r, err := New(nodes)
		if err != nil {
			return // a token came twice
		}
		p, err := Place(nodes, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, tok := range append(r.Tokens(), MinToken+1, 1<<63-1, Token(src.Uint64())) {
			i := slices.IndexFunc(p.Ranges, func(g PlacedRange) bool { return g.Range.Contains(tok) })
			g := p.Ranges[i]
			var want [][16]byte
			for _, n := range s.replicas(r, nil, tok) {
				want = append(want, nodes[n].HostID)
			}
			if !g.Range.Contains(tok) || !slices.Equal(g.Replicas, want) {
				t.Fatalf("token %d: %v %x, want %x", tok, g.Range, g.Replicas, want)
			}
		}
	})
}
