package ring

import (
	"cmp"
	"fmt"
	"slices"
)

// Node is a member with its place and tokens.
type Node struct {
	HostID [16]byte
	DC     string
	Rack   string
	Tokens []Token
}

// Range is the tokens above Start up to and including End. A range whose End
// is not above its Start wraps around; equal bounds are the whole ring.
type Range struct {
	Start, End Token
}

// Contains tells whether t is in the range.
func (r Range) Contains(t Token) bool {
	if r.Start < r.End {
		return t > r.Start && t <= r.End
	}
	return t > r.Start || t <= r.End
}

// Ring is an immutable picture of who owns which tokens. Nodes are named by
// their index in the slice given to New.
type Ring struct {
	nodes  []Node
	tokens []Token // ascending
	owners []int   // owners[i] owns the range that ends at tokens[i]
	racks  map[string]int
	sizes  map[string]int
}

// New makes the ring of nodes. A token may be given once, and every node needs
// one. The nodes must not be changed afterwards.
func New(nodes []Node) (*Ring, error) {
	type place struct {
		token Token
		node  int
	}
	var places []place
	r := &Ring{nodes: nodes, racks: map[string]int{}, sizes: map[string]int{}}
	seen := map[[2]string]bool{}
	for i, n := range nodes {
		if len(n.Tokens) == 0 {
			return nil, fmt.Errorf("ring: node %x has no token", n.HostID)
		}
		for _, t := range n.Tokens {
			places = append(places, place{t, i})
		}
		r.sizes[n.DC]++
		if rack := [2]string{n.DC, n.Rack}; !seen[rack] {
			seen[rack] = true
			r.racks[n.DC]++
		}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.token, b.token) })
	for i, p := range places {
		if i > 0 && places[i-1].token == p.token {
			return nil, fmt.Errorf("ring: token %d is given twice", p.token)
		}
		r.tokens = append(r.tokens, p.token)
		r.owners = append(r.owners, p.node)
	}
	return r, nil
}

// Tokens are all tokens, ascending; the caller must not change them.
func (r *Ring) Tokens() []Token { return r.tokens }

// index is the place of the range that holds t. The ring is not empty.
func (r *Ring) index(t Token) int {
	i, _ := slices.BinarySearch(r.tokens, t)
	if i == len(r.tokens) {
		return 0
	}
	return i
}

// rangeAt is the range that ends at the i-th token.
func (r *Ring) rangeAt(i int) Range {
	prev := i - 1
	if prev < 0 {
		prev = len(r.tokens) - 1
	}
	return Range{Start: r.tokens[prev], End: r.tokens[i]}
}

// Ranges are the ranges of all tokens in their order.
func (r *Ring) Ranges() []Range {
	out := make([]Range, len(r.tokens))
	for i := range r.tokens {
		out[i] = r.rangeAt(i)
	}
	return out
}

// SimpleReplicas appends to dst the replicas of t under SimpleStrategy: the
// first rf different nodes clockwise from t.
func (r *Ring) SimpleReplicas(dst []int, t Token, rf int) []int {
	start := len(dst)
	rf = min(rf, len(r.nodes))
	if rf <= 0 {
		return dst
	}
	first := r.index(t)
	for i := range r.tokens {
		n := r.owners[(first+i)%len(r.tokens)]
		if slices.Contains(dst[start:], n) {
			continue
		}
		if dst = append(dst, n); len(dst)-start == rf {
			break
		}
	}
	return dst
}

// dcState is the walk of the ring for one data centre.
type dcState struct {
	name    string
	left    int // replicas still wanted
	repeats int // nodes that may share a rack with one taken
	racks   []string
}

// NetworkReplicas appends to dst the replicas of t under
// NetworkTopologyStrategy: clockwise from t, in each data centre the wanted
// number of nodes on different racks, and on the same rack only as many as
// there are racks too few. They come in ring order.
func (r *Ring) NetworkReplicas(dst []int, t Token, factors map[string]int) []int {
	start := len(dst)
	var dcs []dcState
	left := 0
	for dc, rf := range factors {
		if n := min(rf, r.sizes[dc]); n > 0 {
			dcs = append(dcs, dcState{name: dc, left: n, repeats: rf - r.racks[dc]})
			left += n
		}
	}
	if left == 0 {
		return dst
	}
	first := r.index(t)
	for i := range r.tokens {
		n := r.owners[(first+i)%len(r.tokens)]
		node := &r.nodes[n]
		j := slices.IndexFunc(dcs, func(d dcState) bool { return d.name == node.DC })
		if j < 0 || slices.Contains(dst[start:], n) || !dcs[j].take(node.Rack) {
			continue
		}
		if dst = append(dst, n); len(dst)-start == left {
			break
		}
	}
	return dst
}

func (d *dcState) take(rack string) bool {
	switch {
	case d.left == 0:
		return false
	case !slices.Contains(d.racks, rack):
		d.racks = append(d.racks, rack)
	case d.repeats > 0:
		d.repeats--
	default:
		return false
	}
	d.left--
	return true
}

// AllocateTokens makes n tokens for the first node of a ring: evenly spread
// from a random start, ascending.
func AllocateTokens(n int, src interface{ Uint64() uint64 }) []Token {
	step := ^uint64(0)/uint64(n) + 1
	start := src.Uint64()
	out := make([]Token, n)
	for i := range out {
		out[i] = Token(start + uint64(i)*step)
		if out[i] == MinToken {
			out[i]++
		}
	}
	slices.Sort(out)
	return out
}
