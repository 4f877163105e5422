package mutationtest

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ilion-db/ilion/mutation"
)

// Writer keeps what a merge or flush writes and checks its order. It has the
// methods of a table writer.
type Writer struct {
	Files int // ended by Cut

	parts  []content
	inPart bool
	open   mutation.Deletion
	cutAt  int // partitions at the last cut
}

var errOrder = errors.New("mutationtest: written out of order")

// BeginPartition starts a partition.
func (w *Writer) BeginPartition(p *mutation.Partition) error {
	if n := len(w.parts); n > 0 {
		last := &w.parts[n-1].head
		if p.Token < last.Token || p.Token == last.Token && bytes.Compare(p.Key, last.Key) <= 0 {
			return fmt.Errorf("%w: partition %q after %q", errOrder, p.Key, last.Key)
		}
	}
	if w.inPart {
		return fmt.Errorf("%w: partition %q within another", errOrder, p.Key)
	}
	head := *p
	head.Key, head.Static = bytes.Clone(p.Key), bytes.Clone(p.Static)
	w.parts = append(w.parts, content{head: head})
	w.inPart, w.open = true, mutation.Deletion{}
	return nil
}

func (w *Writer) add(it mutation.Item) error {
	c := &w.parts[len(w.parts)-1]
	if n := len(c.items); !w.inPart || n > 0 && bytes.Compare(it.Clustering, c.items[n-1].Clustering) <= 0 {
		return fmt.Errorf("%w: item %q", errOrder, it.Clustering)
	}
	it.Clustering, it.Row = bytes.Clone(it.Clustering), bytes.Clone(it.Row)
	c.items = append(c.items, it)
	return nil
}

// AddRow adds a row.
func (w *Writer) AddRow(clustering, row []byte) error {
	if err := mutation.CheckRow(row); err != nil {
		return err
	}
	return w.add(mutation.Item{Kind: mutation.ItemRow, Clustering: clustering, Row: row})
}

// AddBoundary adds a boundary.
func (w *Writer) AddBoundary(clustering []byte, before, after mutation.Deletion) error {
	if before != w.open || before == after {
		return fmt.Errorf("%w: boundary %q from %v to %v in %v", errOrder, clustering, before, after, w.open)
	}
	w.open = after
	return w.add(mutation.Item{Kind: mutation.ItemBoundary, Clustering: clustering, Before: before, After: after})
}

// EndPartition ends the partition, which must not be empty.
func (w *Writer) EndPartition() error {
	c := &w.parts[len(w.parts)-1]
	if c.end = w.open; !w.inPart || !c.head.Deletion.Set && c.head.Static == nil && len(c.items) == 0 {
		return fmt.Errorf("%w: end of an empty partition", errOrder)
	}
	w.inPart = false
	return nil
}

// Cut ends a file if anything is in it.
func (w *Writer) Cut() error {
	if len(w.parts) > w.cutAt {
		w.Files++
		w.cutAt = len(w.parts)
	}
	return nil
}

// Source returns a source of what was written.
func (w *Writer) Source(reverse bool) *Source {
	return &Source{parts: w.parts, reverse: reverse, at: -1}
}
