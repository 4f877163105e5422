package ring

import (
	"fmt"
	"slices"
	"testing"
)

// evenness is the largest share of replicated ownership over the smallest, and
// the same of first replicas.
func evenness(t testing.TB, nodes []Node, rf int) (held, first float64) {
	t.Helper()
	p, err := Place(nodes, Strategy{DCs: map[string]int{nodes[0].DC: rf}})
	if err != nil {
		t.Fatal(err)
	}
	shares := map[[16]byte]*[2]float64{}
	for _, n := range nodes {
		if n.DC == nodes[0].DC {
			shares[n.HostID] = &[2]float64{}
		}
	}
	for _, g := range p.Ranges {
		for i, h := range g.Replicas {
			l := float64(uint64(g.Range.End)-uint64(g.Range.Start)) / (1 << 64)
			shares[h][0] += l
			if i == 0 {
				shares[h][1] += l
			}
		}
	}
	least, most := [2]float64{1e9, 1e9}, [2]float64{}
	for _, s := range shares {
		for i := range s {
			least[i], most[i] = min(least[i], s[i]), max(most[i], s[i])
		}
	}
	return most[0] / least[0], most[1] / least[1]
}

// TestAllocateEvens adds nodes one by one, on racks in turn.
func TestAllocateEvens(t *testing.T) {
	const rf, tokens, limit = 3, 16, 1.25
	checked := []int{6, 12, 24, 48, 96}
	for _, racks := range []int{1, 2, 3, 6} {
		replicas, firsts := map[int][]float64{}, map[int][]float64{}
		for seed := range allocateSeeds {
			var nodes []Node
			for i := range allocateNodes {
				n := Node{HostID: [16]byte{byte(i)}, DC: "a", Rack: fmt.Sprint(i % racks)}
				n.Tokens = Allocate(nodes, n, tokens, rf, uint64(seed*1000+i))
				nodes = append(nodes, n)
				if !slices.Contains(checked, i+1) {
					continue
				}
				held, first := evenness(t, nodes, rf)
				replicas[i+1], firsts[i+1] = append(replicas[i+1], held), append(firsts[i+1], first)
				if held > limit {
					t.Errorf("%d racks, seed %d, %d nodes: largest to smallest %.3f", racks, seed, i+1, held)
				}
			}
		}
		for _, n := range checked {
			if r, f := replicas[n], firsts[n]; len(r) > 0 {
				slices.Sort(r)
				slices.Sort(f)
				t.Logf("%d racks, %2d nodes: replicas median %.3f, worst %.3f; first replicas median %.3f, worst %.3f",
					racks, n, r[len(r)/2], r[len(r)-1], f[len(f)/2], f[len(f)-1])
			}
		}
	}
}

func TestAllocateIsDeterministicAndFree(t *testing.T) {
	var nodes []Node
	seen := map[Token]int{}
	for i := range 12 {
		n := Node{HostID: [16]byte{byte(i)}, DC: fmt.Sprint(i % 2), Rack: fmt.Sprint(i % 3)}
		before := slices.Clone(nodes)
		n.Tokens = Allocate(nodes, n, 16, 3, 7) // two data centres with the same seed
		if again := Allocate(before, n, 16, 3, 7); !slices.Equal(n.Tokens, again) {
			t.Fatalf("node %d: %v, then %v", i, n.Tokens, again)
		}
		if len(n.Tokens) != 16 || !slices.IsSorted(n.Tokens) {
			t.Fatalf("node %d: %v", i, n.Tokens)
		}
		for _, tok := range n.Tokens {
			if seen[tok]++; seen[tok] > 1 || tok == MinToken {
				t.Fatalf("node %d: token %d is taken", i, tok)
			}
		}
		nodes = append(nodes, n)
	}
	if one := Allocate(nodes, Node{DC: "0", Rack: "0"}, 1, 3, 7); len(one) != 1 {
		t.Errorf("one token: %v", one)
	}
	full := []Node{{DC: "0", Rack: "0", Tokens: []Token{5, 6, 7}}}
	if got := Allocate(full, Node{DC: "0", Rack: "0"}, 3, 1, 7); len(got) != 3 || slices.Contains(got, 6) {
		t.Errorf("beside three neighbours: %v", got)
	}
}

// A node with twice the tokens holds about twice as much.
func TestAllocateWeighs(t *testing.T) {
	var nodes []Node
	for i := range 12 {
		n := Node{HostID: [16]byte{byte(i)}, DC: "a", Rack: "r"}
		n.Tokens = Allocate(nodes, n, 8<<(i%2), 3, uint64(i))
		nodes = append(nodes, n)
	}
	p, err := Place(nodes, Strategy{Simple: 3})
	if err != nil {
		t.Fatal(err)
	}
	var held [2]float64
	for _, g := range p.Ranges {
		for _, h := range g.Replicas {
			held[h[0]%2] += float64(uint64(g.Range.End)-uint64(g.Range.Start)) / (1 << 64)
		}
	}
	if ratio := held[1] / held[0]; ratio < 1.8 || ratio > 2.2 {
		t.Errorf("nodes with twice the tokens hold %.2f times as much", ratio)
	}
}

func BenchmarkAllocate(b *testing.B) {
	var nodes []Node
	for i := range 24 {
		n := Node{HostID: [16]byte{byte(i)}, DC: "a", Rack: fmt.Sprint(i % 3)}
		n.Tokens = Allocate(nodes, n, 16, 3, uint64(i))
		nodes = append(nodes, n)
	}
	for b.Loop() {
		Allocate(nodes, Node{DC: "a", Rack: "0"}, 16, 3, 1)
	}
}
