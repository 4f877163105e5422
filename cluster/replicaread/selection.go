package replicaread

import (
	"bytes"

	"github.com/ilion-db/ilion/mutation"
)

// selection is what a command wants of a source: the partitions as they come
// and of each the items within the command's slices. A range deletion that
// reaches beyond a slice is cut to it, so that what comes out is a source of
// its own. It does not own the source and is reused.
type selection struct {
	src mutation.Source
	cmd *mutation.ReadCommand

	slice   int    // next one, counted in the direction of the read
	to      []byte // end of the slice in progress
	inside  bool   // a slice is in progress
	pending bool   // the source's item has ended a slice and is still to be judged
	done    bool   // nothing more of the partition is wanted

	part mutation.Partition
	item mutation.Item
	open mutation.Deletion
	err  error
}

var _ mutation.Source = (*selection)(nil)

func (s *selection) init(src mutation.Source, cmd *mutation.ReadCommand) {
	*s = selection{src: src, cmd: cmd}
}

// NextPartition implements mutation.Source.
func (s *selection) NextPartition() bool {
	if s.err != nil {
		return false
	}
	if !s.src.NextPartition() {
		s.err = s.src.Err()
		return false
	}
	s.slice = 0
	s.inside, s.pending, s.done = false, false, false
	s.part = *s.src.Partition()
	if !s.cmd.Static {
		s.part.Static = nil
	}
	s.open = mutation.Deletion{}
	if s.cmd.Reverse && (len(s.cmd.Slices) == 0 || len(s.cmd.Slices[len(s.cmd.Slices)-1].Hi) == 0) {
		s.open = s.src.Open()
	}
	return true
}

// Partition implements mutation.Source.
func (s *selection) Partition() *mutation.Partition { return &s.part }

// Item implements mutation.Source.
func (s *selection) Item() *mutation.Item { return &s.item }

// Err implements mutation.Source.
func (s *selection) Err() error { return s.err }

// Close implements mutation.Source: whoever opened the source closes it.
func (s *selection) Close() { s.src, s.cmd = nil, nil }

// Open implements mutation.Source.
func (s *selection) Open() mutation.Deletion { return s.open }

// ahead is the deletion in force before a boundary is passed, behind the one
// after it.
func ahead(it *mutation.Item, reverse bool) mutation.Deletion {
	if reverse {
		return it.After
	}
	return it.Before
}

func behind(it *mutation.Item, reverse bool) mutation.Deletion {
	if reverse {
		return it.Before
	}
	return it.After
}

// Seek implements mutation.Source.
func (s *selection) Seek(bound []byte) {
	if len(bound) == 0 || s.done || s.err != nil {
		return
	}
	if s.inside {
		if !beyond(bound, s.to, s.cmd.Reverse) {
			s.open = s.start(bound)
			return
		}
		s.inside, s.open = false, mutation.Deletion{}
	}
	for s.slice < max(len(s.cmd.Slices), 1) {
		from, to := s.bounds(s.slice)
		if !reached(bound, from, s.cmd.Reverse) {
			return // Next starts the slice
		}
		s.slice++
		if !beyond(bound, to, s.cmd.Reverse) {
			s.to, s.inside = to, true
			s.open = s.start(bound)
			return
		}
	}
	s.done = true
}

// start moves the source to where a slice or a seek starts and returns the
// deletion in force there.
func (s *selection) start(from []byte) mutation.Deletion {
	if s.pending && reached(s.src.Item().Clustering, from, s.cmd.Reverse) {
		if it := s.src.Item(); it.Kind == mutation.ItemBoundary {
			return ahead(it, s.cmd.Reverse)
		}
		return s.src.Open()
	}
	s.pending = false
	s.src.Seek(from)
	return s.src.Open()
}

// bounds are the ends of a slice in the direction of the read.
func (s *selection) bounds(i int) (from, to []byte) {
	n := len(s.cmd.Slices)
	switch {
	case n == 0:
		return nil, nil
	case s.cmd.Reverse:
		sl := &s.cmd.Slices[n-1-i]
		return sl.Hi, sl.Lo
	}
	return s.cmd.Slices[i].Lo, s.cmd.Slices[i].Hi
}

// reached tells whether an item lies at or behind the bound that a read starts
// from.
func reached(clustering, from []byte, reverse bool) bool {
	if reverse {
		return len(from) == 0 || bytes.Compare(clustering, from) < 0
	}
	return bytes.Compare(clustering, from) >= 0
}

// beyond tells whether an item lies behind the end of a slice.
func beyond(clustering, to []byte, reverse bool) bool {
	if len(to) == 0 {
		return false
	}
	return (bytes.Compare(clustering, to) >= 0) != reverse
}

// Next implements mutation.Source.
func (s *selection) Next() bool {
	for s.err == nil && !s.done {
		if s.inside && s.advance() || !s.inside && s.enter() {
			return true
		}
	}
	return false
}

// enter starts the next slice; true if the start of a range deletion that reaches
// into it is the next item.
func (s *selection) enter() (boundary bool) {
	if s.slice == max(len(s.cmd.Slices), 1) {
		s.done = true
		return false
	}
	var from []byte
	from, s.to = s.bounds(s.slice)
	s.slice++
	s.inside = true
	d := s.start(from)
	if d == s.open {
		return false
	}
	s.change(from, d)
	return true
}

// advance passes an item of the source, or ends the slice; true if there is
// something to yield.
func (s *selection) advance() bool {
	if !s.pending && !s.src.Next() {
		s.err = s.src.Err()
		s.inside = false
		return s.err == nil && s.leave()
	}
	it := s.src.Item()
	if s.pending = beyond(it.Clustering, s.to, s.cmd.Reverse); s.pending {
		s.inside = false
		return s.leave()
	}
	return s.pass(it)
}

// leave ends the range deletion that is open at the end of a slice; false if
// there is none.
func (s *selection) leave() bool {
	if !s.open.Set || len(s.to) == 0 {
		return false
	}
	s.change(s.to, mutation.Deletion{})
	return true
}

// change makes the current item a boundary behind which d is in force.
func (s *selection) change(clustering []byte, d mutation.Deletion) {
	s.item = mutation.Item{Kind: mutation.ItemBoundary, Clustering: clustering, Before: s.open, After: d}
	if s.cmd.Reverse {
		s.item.Before, s.item.After = d, s.open
	}
	s.open = d
}

// pass judges an item within a slice; false if it is not to be yielded.
func (s *selection) pass(it *mutation.Item) bool {
	if it.Kind == mutation.ItemBoundary {
		d := behind(it, s.cmd.Reverse)
		if d == s.open {
			return false
		}
		s.change(it.Clustering, d)
		return true
	}
	s.item = *it
	return true
}
