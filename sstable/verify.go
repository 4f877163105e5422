package sstable

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ilion-db/ilion/bloom"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
)

// verifier is one run of Verify.
type verifier struct {
	r     *Reader
	it    *Iter
	props Properties // recounted
	stats collector
	meta  blockMeta
	open  mutation.Deletion
	last  []byte
	any   bool
}

// Verify reads the whole table from disk, past all caches, and checks
// everything that can be checked: checksums, bounds, orders, every row, the
// index, the separators, the filter and the statistics. It returns the first
// damage as a *CorruptError, or the context's error.
func (r *Reader) Verify(ctx context.Context) error {
	v := &verifier{r: r, it: r.NewIter(nil, IterOptions{ReadAhead: true}), props: newProperties(), meta: newBlockMeta()}
	defer invariant.Release(v.it.Close)
	v.it.src.scrub = true
	v.stats.p = &v.props
	var token uint64
	var key []byte
	for v.it.NextPartition() {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		p := v.it.Partition()
		x := p.Token.Ordered()
		if v.props.Counts.Partitions > 0 && (x < token || x == token && bytes.Compare(p.Key, key) <= 0) {
			return v.bad("partition %x is out of order", p.Key)
		}
		token, key = x, append(key[:0], p.Key...)
		if !r.MayContain(bloom.HashKey(x, p.Key)) {
			return v.bad("the filter lacks partition %x", p.Key)
		}
		if err := v.partition(ctx); err != nil {
			return err
		}
	}
	if err := v.it.Err(); err != nil {
		return err
	}
	return v.compare()
}

func (v *verifier) bad(format string, args ...any) error {
	offset := v.r.footer.dataEnd
	if no := v.it.src.no; no >= 0 {
		offset, _ = v.r.idx.at(no)
	}
	return v.r.corrupt(offset, format, args...)
}

func (v *verifier) partition(ctx context.Context) error {
	p := v.it.Partition()
	v.stats.begin(p)
	if p.Deletion.Set {
		v.props.Counts.PartitionTombstones++
		v.stats.deletion(p.Deletion, &v.meta)
	}
	if p.Static != nil {
		v.props.Counts.StaticRows++
		if err := v.row(p.Static); err != nil {
			return err
		}
	}
	v.any, v.open = false, mutation.Deletion{}
	for n := 1; v.it.Next(); n++ {
		if n%1024 == 0 {
			if err := context.Cause(ctx); err != nil {
				return err
			}
		}
		if err := v.item(); err != nil {
			return err
		}
	}
	v.stats.end()
	return v.it.Err()
}

func (v *verifier) item() error {
	it := v.it.Item()
	if v.any && bytes.Compare(it.Clustering, v.last) <= 0 {
		return v.bad("clustering %x is out of order", it.Clustering)
	}
	if b := &v.it.src.blk; v.it.pos == v.it.lo+1 && v.it.src.no > v.it.first {
		if b.openFrom != v.open {
			return v.bad("the range deletion open at the block's start is not what is in force")
		}
		if v.it.seps.blocks > 0 {
			sep := v.it.seps.at(v.it.src.no - v.it.first - 1)
			if bytes.Compare(sep, v.last) <= 0 || bytes.Compare(sep, it.Clustering) > 0 {
				return v.bad("separator %x does not lie before clustering %x", sep, it.Clustering)
			}
		}
	}
	v.last, v.any = append(v.last[:0], it.Clustering...), true
	v.stats.clustering(it.Clustering)
	v.stats.size += uint64(len(it.Clustering))
	if it.Kind == mutation.ItemRow {
		v.props.Counts.Rows++
		v.stats.rows++
		return v.row(it.Row)
	}
	v.props.Counts.Boundaries++
	if it.Before != v.open {
		return v.bad("boundary %x does not end what is in force", it.Clustering)
	}
	for _, d := range []mutation.Deletion{it.Before, it.After} {
		if d.Set {
			v.stats.deletion(d, &v.meta)
		}
	}
	v.open = it.After
	return nil
}

func (v *verifier) row(row []byte) error {
	if err := mutation.CheckRow(row); err != nil {
		return v.bad("%v", err)
	}
	if err := v.stats.row(row, &v.meta); err != nil {
		return v.bad("%v", err)
	}
	return nil
}

// compare holds what was counted against the properties.
func (v *verifier) compare() error {
	got, want := &v.props, v.r.props
	at := v.r.footer.dataEnd
	if got.Counts != want.Counts {
		return v.r.corrupt(at, "counted %+v, the properties say %+v", got.Counts, want.Counts)
	}
	type times struct {
		minTS, maxTS                                   int64
		minLocal, maxLocal, minTTL, maxTTL, minEx, max uint32
	}
	of := func(p *Properties) string {
		return fmt.Sprint(times{p.MinTimestamp, p.MaxTimestamp, p.MinLocalDeletion, p.MaxLocalDeletion,
			p.MinTTL, p.MaxTTL, p.MinExpiry, p.MaxExpiry}, p.MaxDrop, fmt.Sprintf("%x %x", p.MinClustering, p.MaxClustering))
	}
	if a, b := of(got), of(want); a != b {
		return v.r.corrupt(at, "found times and bounds %s, the properties say %s", a, b)
	}
	return nil
}
