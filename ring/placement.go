package ring

import (
	"errors"
	"slices"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Placement names the replicas of every token explicitly, so that nodes which
// hold the same one agree on owners whatever their version computes. It is
// immutable.
type Placement struct {
	// Ranges ascend by Range.End and cover the ring without overlap; the first
	// one wraps around.
	Ranges []PlacedRange
}

// PlacedRange is a range and who holds it.
type PlacedRange struct {
	Range Range
	// Replicas are host ids in the order in which the strategy names them, the
	// node whose token ends the range first if it is one of them.
	Replicas [][16]byte
	// Changed is the epoch in which the owners last changed.
	Changed uint64
}

// Place computes the replicas of every range of the nodes' tokens. Where a
// strategy asks for more replicas than there are nodes, all of them hold the
// range. Changed is left 0. It fails without nodes, and where New does.
func Place(nodes []Node, s Strategy) (*Placement, error) {
	if len(nodes) == 0 {
		return nil, errors.New("ring: no nodes to place replicas on")
	}
	r, err := New(nodes)
	if err != nil {
		return nil, err
	}
	p := &Placement{Ranges: make([]PlacedRange, len(r.tokens))}
	var holders []int
	for i, t := range r.tokens {
		holders = s.replicas(r, holders[:0], t)
		replicas := make([][16]byte, len(holders))
		for j, n := range holders {
			replicas[j] = nodes[n].HostID
		}
		p.Ranges[i] = PlacedRange{Range: r.rangeAt(i), Replicas: replicas}
	}
	p.check()
	return p, nil
}

// check asserts that the ranges cover the ring and that nobody holds one twice.
func (p *Placement) check() {
	if !invariant.Enabled {
		return
	}
	before := p.Ranges[len(p.Ranges)-1].Range.End
	for i := range p.Ranges {
		r := &p.Ranges[i]
		invariant.Check(r.Range.Start == before && (i == 0 || before < r.Range.End), "ring: range %d begins at %d, behind %d", i, r.Range.Start, before)
		before = r.Range.End
		for j, h := range r.Replicas {
			invariant.Check(!slices.Contains(r.Replicas[:j], h), "ring: %x holds range %d twice", h, i)
		}
	}
}
