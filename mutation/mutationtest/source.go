package mutationtest

import (
	"bytes"

	"github.com/ilion-db/ilion/mutation"
)

// Source is a mutation.Source over slices. Model.Source makes one. If Fail is
// set, the source ends with it after Steps further moves.
type Source struct {
	Fail   error
	Steps  int
	Closed bool

	parts   []content
	reverse bool
	at      int // partition
	next    int // items passed
	open    mutation.Deletion
	item    mutation.Item
	err     error
}

type content struct {
	head  mutation.Partition
	end   mutation.Deletion // in force at the end
	items []mutation.Item
}

var _ mutation.Source = (*Source)(nil)

func (s *Source) step() bool {
	if s.Fail == nil || s.err != nil {
		return s.err == nil
	}
	if s.Steps--; s.Steps < 0 {
		s.err = s.Fail
	}
	return s.err == nil
}

// Rewind makes the source ready to be read again.
func (s *Source) Rewind() { s.at, s.next, s.err = -1, 0, nil }

// NextPartition implements mutation.Source.
func (s *Source) NextPartition() bool {
	if !s.step() || s.at+1 >= len(s.parts) {
		return false
	}
	s.at++
	s.next = 0
	if s.open = (mutation.Deletion{}); s.reverse {
		s.open = s.parts[s.at].end
	}
	return true
}

// Partition implements mutation.Source.
func (s *Source) Partition() *mutation.Partition { return &s.parts[s.at].head }

// Open implements mutation.Source.
func (s *Source) Open() mutation.Deletion { return s.open }

// Item implements mutation.Source.
func (s *Source) Item() *mutation.Item { return &s.item }

// Err implements mutation.Source.
func (s *Source) Err() error { return s.err }

// Close implements mutation.Source.
func (s *Source) Close() { s.Closed = true }

func (s *Source) peek() *mutation.Item {
	items := s.parts[s.at].items
	switch {
	case s.next == len(items):
		return nil
	case s.reverse:
		return &items[len(items)-1-s.next]
	}
	return &items[s.next]
}

// Next implements mutation.Source.
func (s *Source) Next() bool {
	if !s.step() {
		return false
	}
	it := s.peek()
	if it == nil {
		return false
	}
	s.next++
	s.item = *it
	s.pass(it)
	return true
}

func (s *Source) pass(it *mutation.Item) {
	if it.Kind == mutation.ItemBoundary {
		if s.open = it.After; s.reverse {
			s.open = it.Before
		}
	}
}

// Seek implements mutation.Source.
func (s *Source) Seek(bound []byte) {
	for len(bound) > 0 {
		it := s.peek()
		if it == nil || (bytes.Compare(it.Clustering, bound) < 0) == s.reverse {
			return
		}
		s.next++
		s.pass(it)
	}
}
