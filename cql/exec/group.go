package exec

import (
	"bytes"

	"github.com/ilion-db/ilion/mutation"
)

// emitGrouped adds the current row to its group. When it begins another one,
// the former group's row is written; a page ends only between groups.
func (r *Reader) emitGrouped(p *mutation.Partition, it *mutation.Item) error {
	n, err := r.groupLen(it)
	if err != nil {
		return err
	}
	var prefix []byte
	if it != nil {
		prefix = it.Clustering[:n]
	}
	if f := r.q.Select.GroupFunction; f != nil && it != nil {
		v, err := f.Eval(r.q, &r.row)
		if err != nil {
			return err
		}
		r.groupNew = append(append(r.groupNew[:0], prefix...), v...)
		prefix = r.groupNew
	}
	begins := r.agg.rows == 0 || !bytes.Equal(r.groupKey, p.Key) || !bytes.Equal(r.group, prefix)
	if begins && r.q.PerPartitionLimit > 0 && r.inPartition == 0 {
		return nil // the partition has had its groups
	}
	if begins && r.agg.rows > 0 {
		if err := r.flushGroup(); err != nil || r.stop {
			return err
		}
		if r.q.PageSize > 0 && (r.count >= int(r.q.PageSize) || len(r.dst)-r.base >= def(r.Limits.PageBytes, DefaultPageBytes)) {
			r.more, r.stop = true, true // r.end is the last row of the former group
			return nil
		}
	}
	if r.agg.rows == 0 {
		r.inPartition-- // only read if there is a limit
		r.groupKey = append(r.groupKey[:0], p.Key...)
		r.group = append(r.group[:0], prefix...)
	}
	if r.q.PageSize > 0 {
		r.mark(p, it)
	}
	return r.agg.add(r.q, &r.row)
}

// groupLen is how many bytes of the clustering make the group.
func (r *Reader) groupLen(it *mutation.Item) (int, error) {
	if it == nil {
		return 0, nil
	}
	rest := it.Clustering
	for _, col := range r.q.Select.Table.Clustering[:r.q.Select.GroupBy] {
		var err error
		if r.scratch, rest, err = col.Type.DecodeComparableInto(r.scratch[:0], rest, col.Desc); err != nil {
			return 0, err
		}
	}
	return len(it.Clustering) - len(rest), nil
}

// flushGroup writes the row of the current group and begins another.
func (r *Reader) flushGroup() error {
	var err error
	if r.dst, err = r.agg.appendRow(r.dst, r.q); err != nil {
		return err
	}
	if err := r.checkSize(); err != nil {
		return err
	}
	r.agg.begin(r.q.Select)
	r.count++
	if r.remaining > 0 {
		if r.remaining--; r.remaining == 0 {
			r.stop = true
		}
	}
	return nil
}
