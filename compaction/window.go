package compaction

import (
	"cmp"
	"maps"
	"slices"
)

// pickWindows returns the merges that TWCS wants among tables of one group.
func (s *State) pickWindows(o *Options, tables []*TableInfo) []candidate {
	windows := make(map[int64][]*TableInfo)
	for _, t := range tables {
		w := floorDiv(t.MaxTimestamp, o.Window/o.TimestampScale)
		windows[w] = append(windows[w], t)
	}
	if len(windows) == 0 {
		return nil
	}
	var all []candidate
	newest := slices.Max(slices.Collect(maps.Keys(windows)))
	for w, members := range windows {
		if w == newest {
			members = similar(o, members)
		}
		if len(members) < 2 {
			continue
		}
		members = oldestFirst(members, o.MaxInputs)
		all = append(all, candidate{tables: members, overlap: len(members), window: w, shards: 1})
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(b.window, a.window) })
	return all
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// similar returns the tables of the fullest bucket of similar sizes, nil if
// none has enough.
func similar(o *Options, tables []*TableInfo) []*TableInfo {
	sorted := slices.Clone(tables)
	slices.SortStableFunc(sorted, func(a, b *TableInfo) int { return cmp.Compare(a.Size, b.Size) })
	var best, bucket []*TableInfo
	mean := 0.0
	for _, t := range sorted {
		size := float64(t.Size)
		small := t.Size < o.SmallFile && mean < float64(o.SmallFile)
		if len(bucket) > 0 && !small && (size < mean*o.BucketLow || size > mean*o.BucketHigh) {
			bucket, mean = nil, 0
		}
		mean = (mean*float64(len(bucket)) + size) / float64(len(bucket)+1)
		bucket = append(bucket, t)
		if len(bucket) >= o.MinFiles && len(bucket) > len(best) {
			best = bucket
		}
	}
	return best
}
