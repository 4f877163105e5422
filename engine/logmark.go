package engine

import (
	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/engine/manifest"
)

// raiseMarks moves the marks of tables that have not been flushed for long, as
// nothing or little was written to them, so that the log may go up to segment.
// It returns the position at which the next start begins to read, below which
// alone the log may be discarded: a start takes missing segments above it for
// damage. Tables whose change somebody holds keep their marks; one of the next
// flushes moves them.
func (e *Engine) raiseMarks(segment uint64) commitlog.Position {
	var edit manifest.Edit
	var held []*table
	state := e.manifest.State()
	for _, t := range e.allTables() {
		s := state.Tables[t.id]
		if s != nil && replayedFrom(s).Segment >= segment {
			continue
		}
		select {
		case t.change <- struct{}{}:
			held = append(held, t)
		default:
			continue
		}
		if m, ok := t.unflushedMark(s); ok {
			edit.Flushed(t.id, m)
		}
	}
	if !edit.Empty() {
		// On a full disk the marks stay where they are, and the log with them.
		if err := e.commit(&edit); err != nil {
			e.noteSpace(err)
		}
	}
	for _, t := range held {
		<-t.change
	}
	state = e.manifest.State()
	low := pack(e.log.Head())
	for id := range e.allTables() {
		s := state.Tables[id]
		if s == nil {
			return commitlog.Position{}
		}
		low = min(low, pack(replayedFrom(s)))
	}
	return unpack(low)
}

// replayedFrom is where a start begins to look for the table's records.
func replayedFrom(s *manifest.Table) commitlog.Position {
	return unpack(max(pack(s.Flushed.Low), pack(s.Truncated.Low)))
}

// unflushedMark is the mark below which the table's records are in files now,
// and whether it lies above that of s, which may be nil. The caller holds
// change.
func (t *table) unflushedMark(s *manifest.Table) (m manifest.Mark, higher bool) {
	t.mu.Lock() // so that no write is between its position and noteFirst
	defer t.mu.Unlock()
	if t.dropped {
		return m, false
	}
	need := min(t.first.Load(), t.flushing.Load())
	if need == noPosition {
		return t.engine.mark(), true
	}
	if s != nil {
		m = s.Flushed // what lanes have flushed above need stays flushed
		if need <= pack(m.Low) {
			return m, false
		}
	}
	m.Low = unpack(need)
	return m, true
}
