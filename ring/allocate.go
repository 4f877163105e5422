package ring

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Allocate chooses n tokens for a joining node so that with rf replicas in its
// data centre every node there holds about as much as its number of tokens
// asks for, as a replica and as first replica. Of the nodes, which it does not
// change, those of other data centres only forbid their own tokens. The tokens
// ascend. Equal arguments give equal tokens on machines of one architecture.
//
// Each token goes where it evens the shares most, judged by the replicas that
// NetworkTopologyStrategy would name; then each is taken back and placed again
// in the light of the others. The first node's are spread about evenly.
func Allocate(nodes []Node, joining Node, n, rf int, seed uint64) []Token {
	src := rand.New(rand.NewPCG(seed, 0))
	taken := map[Token]bool{MinToken: true}
	for _, m := range nodes {
		for _, t := range m.Tokens {
			taken[t] = true
		}
	}
	a := newAllocation(nodes, joining, n, rf)
	var tokens []Token
	if len(a.tokens) == 0 {
		quarter := (^uint64(0)/uint64(n) + 1) / 4
		for _, t := range AllocateTokens(n, src) {
			tokens = append(tokens, free(taken, t+Token(src.Uint64()%max(quarter, 1))))
		}
		slices.Sort(tokens)
		return tokens
	}
	for i := range n {
		a.weigh(float64(i+1) / float64(n))
		tokens = append(tokens, free(taken, a.best(src)))
		a.insert(tokens[i])
	}
	a.whole = true
	for range refinements {
		for i, t := range tokens {
			a.remove(t)
			delete(taken, t)
			tokens[i] = free(taken, a.best(src))
			a.insert(tokens[i])
		}
	}
	slices.Sort(tokens)
	invariant.Check(len(slices.Compact(slices.Clone(tokens))) == n, "ring: a token is given out twice")
	return tokens
}

// free takes the first token from t on that nobody has.
func free(taken map[Token]bool, t Token) Token {
	for taken[t] {
		t++
	}
	taken[t] = true
	return t
}

const (
	// candidates bounds how many ranges are tried for a token, so that a join
	// to a ring of 1,000 nodes takes seconds; drawn at random if there are more.
	candidates = 4096
	// refinements is how often all tokens are placed again.
	refinements = 2
	// edge is the least part of a range that a cut leaves on either side: crumbs
	// are tokens that will never even anything again.
	edge = 0.2
	// steep is the weight of a deviation's fourth power beside its square, so
	// that the nodes furthest off count most: at 3 % both weigh the same.
	steep = 1000
)

// allocation is the ring of one data centre while tokens are chosen for a
// joining node, and what every node would hold. Lengths are fractions of the
// ring. The share of a node is what it holds, divided by what its weight asks
// for; what is made small is the sum over nodes of weight * cost(share-1).
type allocation struct {
	tokens  []Token // ascending
	owners  []int   // owners[i] has tokens[i]
	racks   []int   // of each node
	joining int     // the node that gets tokens
	whole   bool    // it has all of them, so its share counts in full
	rf      int     // replicas; there are more nodes than that
	repeats int     // replicas that may share a rack with another
	weights []float64
	fair    float64   // what a node of weight 1 should hold
	held    []float64 // by each node as a replica
	first   []float64 // by each node as first replica
	// replicas[i] are those of the range that ends at tokens[i], visits[i] how
	// many tokens from there on it takes to find them.
	replicas [][]int
	visits   []int
	met      []int // the last walk that met the rack
	walks    int
	change   change
	after    []int // replicas of a range with one token more
}

// newAllocation keeps of the nodes what decides about the joining one. Where the
// joining node will hold everything wherever its tokens are, for want of nodes
// or of racks, first replicas alone are evened out.
func newAllocation(nodes []Node, joining Node, n, rf int) *allocation {
	racks := map[string]int{joining.Rack: 0}
	var local []Node
	alone := true
	for _, m := range nodes {
		if m.DC != joining.DC {
			continue
		}
		local = append(local, m)
		alone = alone && m.Rack != joining.Rack
		if _, ok := racks[m.Rack]; !ok {
			racks[m.Rack] = len(racks)
		}
	}
	if len(local) < rf || alone && len(racks) <= rf {
		rf = 1
		for rack := range racks {
			racks[rack] = 0
		}
	}
	a := &allocation{
		joining: len(local), rf: rf, repeats: rf - len(racks), met: make([]int, len(racks)),
		held: make([]float64, len(local)+1), first: make([]float64, len(local)+1), change: newChange(len(local) + 1),
	}
	for i, m := range append(local, joining) {
		a.racks = append(a.racks, racks[m.Rack])
		a.weights = append(a.weights, float64(len(m.Tokens))/float64(n))
		if i < a.joining {
			for _, t := range m.Tokens {
				a.tokens = append(a.tokens, t)
				a.owners = append(a.owners, i)
			}
		}
	}
	sort.Sort(byToken{a})
	a.place()
	return a
}

type byToken struct{ *allocation }

func (a byToken) Len() int           { return len(a.tokens) }
func (a byToken) Less(i, j int) bool { return a.tokens[i] < a.tokens[j] }
func (a byToken) Swap(i, j int) {
	a.tokens[i], a.tokens[j] = a.tokens[j], a.tokens[i]
	a.owners[i], a.owners[j] = a.owners[j], a.owners[i]
}

// weigh sets the joining node's weight.
func (a *allocation) weigh(w float64) {
	a.weights[a.joining] = w
	sum := 0.0
	for _, w := range a.weights {
		sum += w
	}
	a.fair = float64(a.rf) / sum
}

func (a *allocation) insert(t Token) {
	i, _ := slices.BinarySearch(a.tokens, t)
	a.tokens = slices.Insert(a.tokens, i, t)
	a.owners = slices.Insert(a.owners, i, a.joining)
	a.place()
}

func (a *allocation) remove(t Token) {
	i, _ := slices.BinarySearch(a.tokens, t)
	a.tokens = slices.Delete(a.tokens, i, i+1)
	a.owners = slices.Delete(a.owners, i, i+1)
	a.place()
}

// length is that of the range that ends at the i-th token.
func (a *allocation) length(i int) float64 {
	prev := i - 1
	if prev < 0 {
		prev = len(a.tokens) - 1
	}
	if d := uint64(a.tokens[i]) - uint64(a.tokens[prev]); d != 0 {
		return float64(d) / (1 << 64)
	}
	return 1
}

// place finds the replicas of every range and what each node holds.
func (a *allocation) place() {
	clear(a.held)
	clear(a.first)
	for len(a.replicas) < len(a.tokens) {
		a.replicas = append(a.replicas, nil)
		a.visits = append(a.visits, 0)
	}
	for i, owner := range a.owners {
		l := a.length(i)
		a.replicas[i], a.visits[i] = a.walk(a.replicas[i][:0], i, -1)
		for _, node := range a.replicas[i] {
			a.held[node] += l
		}
		a.first[owner] += l
	}
}

// walk appends to dst the replicas of the range that ends at the i-th token,
// clockwise, as if the joining node had a token just before the one at. It also
// returns how many of the ring's tokens it met.
func (a *allocation) walk(dst []int, i, at int) ([]int, int) {
	a.walks++
	repeats := a.repeats
	for met := range a.tokens {
		k := i + met
		if k >= len(a.tokens) {
			k -= len(a.tokens)
		}
		if k == at {
			if dst = a.take(dst, a.joining, &repeats); len(dst) == a.rf {
				return dst, met
			}
		}
		if dst = a.take(dst, a.owners[k], &repeats); len(dst) == a.rf {
			return dst, met + 1
		}
	}
	return dst, len(a.tokens)
}

func (a *allocation) take(dst []int, node int, repeats *int) []int {
	if slices.Contains(dst, node) {
		return dst
	}
	if rack := a.racks[node]; a.met[rack] != a.walks {
		a.met[rack] = a.walks
	} else if *repeats > 0 {
		*repeats--
	} else {
		return dst
	}
	return append(dst, node)
}

// best is the place of one more token that evens the shares most.
func (a *allocation) best(src *rand.Rand) Token {
	least, best := math.Inf(1), Token(0)
	for try := range min(len(a.tokens), candidates) {
		at := try
		if len(a.tokens) > candidates {
			at = src.IntN(len(a.tokens))
		}
		l := a.length(at)
		x, cost := a.cut(at, l)
		if cost < least {
			least, best = cost, a.tokens[at]-Token(uint64((l-x)*(1<<63))<<1)
		}
	}
	return best
}

// cut is how much of the range that ends at the token at, which is l long, the
// joining node had best take, and by how much that changes the costs.
func (a *allocation) cut(at int, l float64) (x, cost float64) {
	a.change.reset()
	a.after, _ = a.walk(a.after[:0], at, at)
	a.change.replace(a.replicas[at], a.after, 0, 1)
	// The ranges before it whose replicas are found only behind the cut.
	for back := 1; back < len(a.tokens); back++ {
		j := at - back
		if j < 0 {
			j += len(a.tokens)
		}
		if a.visits[j] <= back {
			break
		}
		a.after, _ = a.walk(a.after[:0], j, at)
		a.change.replace(a.replicas[j], a.after, a.length(j), 0)
	}
	return a.minimum(l, a.owners[at])
}
