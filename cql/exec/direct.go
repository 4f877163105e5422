package exec

import (
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/mutation"
)

// maxDirectDead is how many tombstones a row of AppendRow may have: with more
// Page has to count and tell of them.
const maxDirectDead = 100

// AppendRow appends the result row that a plan.Select which is Direct makes of a
// whole stored row, as Page does; it has none if it is not live. After false Page
// has to judge it. Nothing of Limits counts.
func (r *Reader) AppendRow(dst []byte, s *plan.Select, now uint32, k *mutation.Key, clustering, data []byte) (out []byte, live, ok bool) {
	r.row.use(s, now)
	r.row.dead = 0
	if _, err := r.row.partition(&mutation.Partition{Token: k.Token, Key: k.Key}); err != nil {
		return dst, false, false
	}
	live, err := r.row.load(clustering, data, mutation.Deletion{})
	if err != nil || r.row.dead > maxDirectDead {
		return dst, false, false
	}
	if !live {
		return dst, false, true
	}
	dst, err = r.row.appendRow(dst, nil, len(dst), DefaultMaxBytes)
	return dst, true, err == nil
}
