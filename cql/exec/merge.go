package exec

import (
	"bytes"
	"slices"

	"github.com/ilion-db/ilion/mutation"
)

// addMerged notes where a row of several partitions' merged order lies in dst.
func (r *Reader) addMerged(it *mutation.Item, from int) {
	m := mergeRow{from: from, to: len(r.dst)}
	if it != nil {
		m.clustering = slices.Clone(it.Clustering)
	}
	r.merge = append(r.merge, m)
}

// emitMerged puts the rows into clustering order and applies the limit.
func (r *Reader) emitMerged() {
	slices.SortStableFunc(r.merge, func(a, b mergeRow) int {
		if c := bytes.Compare(a.clustering, b.clustering); c != 0 && r.q.Command.Reverse {
			return -c
		} else {
			return c
		}
	})
	if l := int(r.q.Limit); l > 0 && len(r.merge) > l {
		r.merge = r.merge[:l]
	}
	var sorted []byte
	for _, m := range r.merge {
		sorted = append(sorted, r.dst[m.from:m.to]...)
	}
	r.dst = append(r.dst[:r.base], sorted...)
	r.count = len(r.merge)
}
