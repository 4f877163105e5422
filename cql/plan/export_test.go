package plan

import "github.com/ilion-db/ilion/mutation"

// Slices computes the slices of a bound query the general way.
func (s *Select) Slices(q *Query) ([]mutation.Slice, error) { return s.clustering.slices(&q.binding) }
