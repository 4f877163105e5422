package ring

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ilion-db/ilion/internal/rand"
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
		worst, worstFirst := map[int]float64{}, map[int]float64{}
		for seed := range allocateSeeds {
			var nodes []Node
			for i := range allocateNodes {
				n := Node{HostID: [16]byte{byte(i)}, DC: "a", Rack: fmt.Sprint(i % racks)}
				n.Tokens = Allocate(nodes, n, tokens, rf, uint64(seed*len(checked)*1000+i))
				if i == 0 && seed%2 == 1 { // somebody else's choice
					src := rand.NewSeeded(uint64(seed))
					for j := range n.Tokens {
						n.Tokens[j] = Token(src.Uint64())
					}
				}
				nodes = append(nodes, n)
				if !slices.Contains(checked, i+1) {
					continue
				}
				held, first := evenness(t, nodes, rf)
				worst[i+1], worstFirst[i+1] = max(worst[i+1], held), max(worstFirst[i+1], first)
				if held > limit {
					t.Errorf("%d racks, seed %d, %d nodes: largest to smallest %.3f", racks, seed, i+1, held)
				}
			}
		}
		for _, n := range checked {
			if worst[n] > 0 {
				t.Logf("%d racks, %2d nodes: replicas %.3f, first replicas %.3f", racks, n, worst[n], worstFirst[n])
			}
		}
	}
}
