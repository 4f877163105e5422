package engine

import "github.com/ilion-db/ilion/compaction"

// claimFiles makes a task of the files that match.
func (e *Engine) claimFiles(t *table, match func(*file) bool) *task {
	v := t.pin()
	var ids []uint64
	for _, f := range v.files {
		if match(f) {
			ids = append(ids, f.id)
		}
	}
	v.drop()
	return e.claim(t, func(*compaction.Options, *compaction.State) []compaction.Task {
		return []compaction.Task{{Tables: ids, Shards: 1}}
	})[0]
}
