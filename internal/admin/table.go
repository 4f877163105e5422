package admin

import (
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is rows of cells, the first one its heading.
type table [][]string

// lines are the rows with their cells padded to the widest of each column and
// two blanks between them.
func (t table) lines() []string {
	var widths []int
	for _, row := range t {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	out := make([]string, len(t))
	for r, row := range t {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell)
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		out[r] = strings.TrimRight(b.String(), " ")
	}
	return out
}

// compareAddresses orders 10.0.0.2 before 10.0.0.10.
func compareAddresses(a, b string) int {
	x, err := netip.ParseAddr(a)
	y, err2 := netip.ParseAddr(b)
	if err == nil && err2 == nil {
		return x.Compare(y)
	}
	p, err := netip.ParseAddrPort(a)
	q, err2 := netip.ParseAddrPort(b)
	if err == nil && err2 == nil {
		return p.Compare(q)
	}
	return strings.Compare(a, b)
}

func sortNodes(nodes []NodeStatus) {
	slices.SortFunc(nodes, func(a, b NodeStatus) int { return compareAddresses(a.Address, b.Address) })
}
