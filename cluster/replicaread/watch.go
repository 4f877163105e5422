package replicaread

import (
	"errors"
	"time"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// damagedFor is how long reads of a table for which the local replica would be
// enough ask others too, after it was found damaged.
const damagedFor = time.Minute

// watched is a source of the local replica that takes note of damage. It is
// pooled.
type watched struct {
	mutation.Source
	rd    *Reader
	table schema.TableID
	try   bool
}

// watch wraps a source of the local replica. One of a try ends at damage with
// mutation.ErrWouldBlock: who waits reads again, and from others.
func (rd *Reader) watch(src mutation.Source, table schema.TableID, try bool) mutation.Source {
	w, _ := rd.watches.Get().(*watched)
	if w == nil {
		w = &watched{rd: rd}
	}
	w.Source, w.table, w.try = src, table, try
	return w
}

// Err implements mutation.Source.
func (w *watched) Err() error {
	return w.rd.judge(w.table, w.Source.Err(), w.try)
}

// judge takes note of damage and returns err, or what a try makes of it.
func (rd *Reader) judge(table schema.TableID, err error, try bool) error {
	if errors.Is(err, mutation.ErrCorrupt) {
		rd.damaged.Store(table, rd.now()+damagedFor)
		if try {
			return mutation.ErrWouldBlock
		}
	}
	return err
}

// Close implements mutation.Source.
func (w *watched) Close() {
	if w.Source == nil {
		return
	}
	w.Source.Close()
	w.Source = nil
	w.rd.watches.Put(w)
}

// isDamaged tells whether the local replica's table was found damaged of late.
func (rd *Reader) isDamaged(table schema.TableID) bool {
	until, ok := rd.damaged.Load(table)
	return ok && rd.now() < until.(time.Duration)
}
