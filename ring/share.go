package ring

import "slices"

// change is what one more token of a joining node changes, as a function of the
// length x that it takes as first replica: a node holds fixed + sloped*x more.
type change struct {
	fixed, sloped []float64 // by node
	nodes         []int     // those that it changes
}

func newChange(nodes int) change {
	return change{fixed: make([]float64, nodes), sloped: make([]float64, nodes)}
}

func (c *change) reset() {
	for _, node := range c.nodes {
		c.fixed[node], c.sloped[node] = 0, 0
	}
	c.nodes = c.nodes[:0]
}

func (c *change) add(node int, fixed, sloped float64) {
	if !slices.Contains(c.nodes, node) {
		c.nodes = append(c.nodes, node)
	}
	c.fixed[node] += fixed
	c.sloped[node] += sloped
}

// replace adds that a range of length fixed + sloped*x has other replicas.
func (c *change) replace(before, after []int, fixed, sloped float64) {
	for _, node := range before {
		if !slices.Contains(after, node) {
			c.add(node, -fixed, -sloped)
		}
	}
	for _, node := range after {
		if !slices.Contains(before, node) {
			c.add(node, fixed, sloped)
		}
	}
}

// minimum is the x within a range of length l, which owner has, at which the
// change costs least, and what it costs there: of the costs' second-order
// expansion around x = 0 the minimum is taken, and the costs themselves there.
func (a *allocation) minimum(l float64, owner int) (x, cost float64) {
	firsts := [2]struct {
		node int
		sign float64
	}{{a.joining, 1}, {owner, -1}}
	var slope, curve float64
	for _, node := range a.change.nodes {
		w := a.weights[node] * a.fair
		e, d := (a.held[node]+a.change.fixed[node])/w-1, a.change.sloped[node]/w
		s := a.steep(node)
		slope += w * d * (2*e + 4*s*e*e*e)
		curve += w * d * d * (2 + 12*s*e*e)
	}
	for _, f := range firsts {
		w := a.weights[f.node] * a.fair / float64(a.rf)
		slope += 2 * f.sign * (a.first[f.node]/w - 1) * float64(a.rf)
		curve += 2 / w * float64(a.rf)
	}
	x = min(max(-slope/curve, l*edge), l*(1-edge))
	for _, node := range a.change.nodes {
		w := a.weights[node] * a.fair
		before := a.held[node]/w - 1
		after := before + (a.change.fixed[node]+a.change.sloped[node]*x)/w
		before *= before
		after *= after
		cost += w * (after - before + a.steep(node)*(after*after-before*before))
	}
	for _, f := range firsts {
		w := a.weights[f.node] * a.fair / float64(a.rf)
		e, d := a.first[f.node]/w-1, f.sign*x/w
		cost += w * float64(a.rf) * d * (2*e + d)
	}
	return x, cost
}

// steep is the weight of the fourth power for a node. With few tokens yet the
// joining node is far from its share wherever they are.
func (a *allocation) steep(node int) float64 {
	if node == a.joining && !a.whole {
		return 0
	}
	return steep
}
