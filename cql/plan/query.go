package plan

import (
	"bytes"
	"encoding/binary"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// Query is a SELECT with its values: what to read and how to judge the rows.
// It is reused and belongs to one goroutine at a time.
type Query struct {
	// Select is what was bound.
	Select *Select
	// Command is what to open a source for. Not meaningful if Empty, or for a
	// virtual table.
	Command mutation.ReadCommand
	// Empty tells that nothing can match: there is no need to read.
	Empty bool
	// Point tells that at most one row of one partition is named.
	Point bool
	// Filters are what rows have to pass.
	Filters []Filter
	// Limit and PerPartitionLimit count result rows, 0 is none. For an
	// aggregate Limit counts its results.
	Limit, PerPartitionLimit uint32
	// PageSize is that of the request, 0 for none.
	PageSize uint32

	binding
	// sent tells that Command has all filters: who reads may count the rows that
	// pass.
	sent   bool
	keys   [1]mutation.Key
	slices [1]mutation.Slice
	parts  [][]byte
	keyBuf []byte
	lo, hi []byte
	ends   [][]byte // scratch
}

// NewQuery makes a Query for statements of the node that env stands for.
func NewQuery(env *Env) *Query { return &Query{binding: binding{env: env}} }

// Now is the time in seconds by which the query judges expiry.
func (q *Query) Now() uint32 { return q.Command.Now }

// Bind fills q with what the statement reads with these values. Values must
// stay valid while q is used.
func (s *Select) Bind(q *Query, values []Value, o *Options) error {
	q.start(values, o)
	q.Select = s
	q.Empty, q.Point = false, false
	q.Command = mutation.ReadCommand{Table: s.Table.ID, Epoch: s.epoch, Now: o.now(), Reverse: s.Reverse,
		Static: s.readStatic, Distinct: s.Distinct}
	q.PageSize = uint32(max(o.PageSize, 0))
	if q.PageSize > 0 {
		q.Command.Page = q.PageSize + 1 // one more tells whether there is another page
	}
	if err := s.bindLimits(q); err != nil {
		return err
	}
	if err := s.bindFilters(q); err != nil {
		return err
	}
	if s.Table.Virtual {
		return nil
	}
	if err := s.bindPartitions(q); err != nil || q.Empty {
		return err
	}
	if err := s.bindSlices(q); err != nil || q.Empty {
		return err
	}
	q.Point = s.key != nil && len(s.prefix) == len(s.Table.Clustering)
	if s.MergeOrder && q.PageSize > 0 && len(q.Command.Keys) > 1 {
		return invalid("Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either remove " +
			"the ORDER BY or the IN and sort client side, or disable paging for this query")
	}
	if !s.Aggregated && !s.MergeOrder && q.sent {
		q.Command.Limit, q.Command.PerPartitionLimit = q.Limit, q.PerPartitionLimit
	}
	return nil
}

func (s *Select) bindLimits(q *Query) (err error) {
	q.Limit, q.PerPartitionLimit = 0, 0
	if s.limit != nil {
		v, err := s.limit.eval(&q.binding)
		if err != nil {
			return err
		}
		if q.Limit, err = limitValue(v); err != nil {
			return err
		}
	}
	if s.perPartition != nil {
		v, err := s.perPartition.eval(&q.binding)
		if err != nil {
			return err
		}
		q.PerPartitionLimit, err = limitValue(v)
		return err
	}
	return nil
}

func limitValue(v Value) (uint32, error) {
	if v.Unset {
		return 0, nil
	}
	if len(v.Bytes) != 4 {
		return 0, invalid("Invalid null value of limit")
	}
	n := int32(binary.BigEndian.Uint32(v.Bytes))
	if n <= 0 {
		return 0, invalid("LIMIT must be strictly positive")
	}
	return uint32(n), nil
}

func (s *Select) bindFilters(q *Query) error {
	n := len(s.filters)
	for cap(q.Filters) < n {
		q.Filters = append(q.Filters[:cap(q.Filters)], Filter{})
	}
	q.Filters, q.sent = q.Filters[:n], true
	for i := range s.filters {
		if err := s.filters[i].bind(&q.binding, &q.Filters[i]); err != nil {
			return err
		}
		w := q.Filters[i].wire()
		q.Command.Filters, q.sent = append(q.Command.Filters, w...), q.sent && len(w) > 0
	}
	return nil
}

func (s *Select) bindPartitions(q *Query) error {
	switch {
	case s.key != nil:
		q.parts = q.parts[:0]
		for i, t := range s.key {
			v, err := t.eval(&q.binding)
			if err != nil {
				return err
			}
			if v.Bytes == nil {
				return noValue(v, s.Table.PartitionKey[i])
			}
			q.parts = append(q.parts, v.Bytes)
		}
		k, err := makeKey(q.keyBuf[:0], q.parts)
		if err != nil {
			return err
		}
		q.keyBuf, q.keys[0] = k.Key, k
		q.Command.Keys = q.keys[:]
	case s.partition != nil:
		keys, err := partitionKeys(&q.binding, s.partition)
		if err != nil {
			return err
		}
		q.Command.Keys, q.Empty = keys, len(keys) == 0
	case s.token != nil:
		r, ok, err := tokenRange(&q.binding, s.token)
		if err != nil {
			return err
		}
		q.Command.Range, q.Empty = r, !ok
	}
	return nil
}

func (s *Select) bindSlices(q *Query) error {
	switch {
	case len(s.clustering.rs) == 0:
		return nil
	case s.span:
		return s.bindSpan(q)
	case s.prefix == nil:
		list, err := s.clustering.slices(&q.binding)
		q.Command.Slices, q.Empty = list, len(list) == 0
		return err
	}
	q.lo = q.lo[:0]
	for i, t := range s.prefix {
		v, err := t.eval(&q.binding)
		if err != nil {
			return err
		}
		col := s.Table.Clustering[i]
		if v.Bytes == nil {
			return noValue(v, col)
		}
		if q.lo, err = col.Type.AppendComparable(q.lo, v.Bytes, col.Desc); err != nil {
			return wrap(err)
		}
	}
	q.hi = append(q.hi[:0], q.lo...)
	if n := len(q.lo); s.Table.Clustering[len(s.prefix)-1].Desc {
		q.lo[n-1], q.hi[n-1] = ^byte(schema.BoundHigh), ^byte(schema.BoundLow)
	} else {
		q.lo[n-1], q.hi[n-1] = schema.BoundLow, schema.BoundHigh
	}
	q.slices[0] = mutation.Slice{Lo: q.lo, Hi: q.hi}
	q.Command.Slices = q.slices[:]
	return nil
}

func (s *Select) bindSpan(q *Query) (err error) {
	if q.lo, q.hi, err = s.clustering.span(&q.binding, q.lo[:0], q.hi[:0], &q.ends); err != nil {
		return err
	}
	if q.Empty = len(q.hi) > 0 && bytes.Compare(q.lo, q.hi) >= 0; q.Empty {
		q.Command.Slices = nil
		return nil
	}
	q.slices[0] = mutation.Slice{Lo: q.lo, Hi: q.hi}
	q.Command.Slices = q.slices[:]
	return nil
}
