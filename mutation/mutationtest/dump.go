package mutationtest

import (
	"fmt"
	"math"
	"strings"

	"github.com/ilion-db/ilion/mutation"
)

// Dump reads the source to its end and writes all it holds as text. It closes
// nothing.
func Dump(s mutation.Source) string {
	var b strings.Builder
	for s.NextPartition() {
		dumpPartition(&b, s)
	}
	if s.Err() != nil {
		fmt.Fprintf(&b, "error: %v\n", s.Err())
	}
	return b.String()
}

func dumpPartition(b *strings.Builder, s mutation.Source) {
	p := s.Partition()
	fmt.Fprintf(b, "partition %d %q%s\n", p.Token, p.Key, deletion(" deleted", p.Deletion))
	if p.Static != nil {
		fmt.Fprintf(b, "  static%s\n", Row(p.Static))
	}
	b.WriteString(DumpItems(s))
}

// DumpItems reads the current partition's items to their end.
func DumpItems(s mutation.Source) string {
	var b strings.Builder
	if o := s.Open(); o.Set {
		fmt.Fprintf(&b, "  open%s\n", deletion("", o))
	}
	for s.Next() {
		switch it := s.Item(); it.Kind {
		case mutation.ItemRow:
			fmt.Fprintf(&b, "  row %q%s\n", it.Clustering, Row(it.Row))
		case mutation.ItemBoundary:
			fmt.Fprintf(&b, "  boundary %q%s%s\n", it.Clustering,
				deletion(" before", it.Before), deletion(" after", it.After))
		}
	}
	return b.String()
}

func deletion(name string, d mutation.Deletion) string {
	if !d.Set {
		return ""
	}
	return fmt.Sprintf("%s @%d/%d", name, d.Timestamp, d.LocalTime)
}

// Row writes an encoded row as text.
func Row(encoded []byte) string {
	var b strings.Builder
	var r mutation.RowReader
	if err := r.Init(encoded); err != nil {
		return " " + err.Error()
	}
	if m := r.Marker; m.Set {
		fmt.Fprintf(&b, " marker @%d", m.Timestamp)
		if m.TTL != 0 {
			fmt.Fprintf(&b, " ttl %d until %d", m.TTL, m.Expiry)
		}
	}
	b.WriteString(deletion(" deleted", r.Deletion))
	for r.NextCell() {
		b.WriteString(cell(&r.Cell))
	}
	if err := mutation.CheckRow(encoded); err != nil {
		b.WriteString(" " + err.Error())
	}
	return b.String()
}

func cell(c *mutation.Cell) string {
	s := fmt.Sprintf(" | %d", c.Column)
	if c.Flags&mutation.CellPath != 0 {
		s += fmt.Sprintf("[%q]", c.Path)
	}
	s += fmt.Sprintf(" @%d", c.Timestamp)
	switch {
	case c.Flags&mutation.CellCollection != 0:
		s += fmt.Sprintf(" collection deleted/%d", c.LocalTime)
	case c.Flags&mutation.CellTombstone != 0:
		s += fmt.Sprintf(" deleted/%d", c.LocalTime)
	case c.Flags&mutation.CellExpiring != 0:
		s += fmt.Sprintf(" =%q ttl %d until %d", c.Value, c.TTL, c.LocalTime)
	default:
		s += fmt.Sprintf(" =%q", c.Value)
	}
	if c.Flags&mutation.CellKey != 0 {
		s += " key"
	}
	return s
}

// DumpLive reads the source to its end and writes what a reader at now
// (seconds) sees as text.
func DumpLive(s mutation.Source, now uint32) string {
	var b strings.Builder
	for s.NextPartition() {
		p := s.Partition()
		head := fmt.Sprintf("partition %d %q\n", p.Token, p.Key)
		if p.Static != nil {
			dumpLive(&b, &head, "  static", p.Static, now)
		}
		for s.Next() {
			if it := s.Item(); it.Kind == mutation.ItemRow {
				dumpLive(&b, &head, fmt.Sprintf("  row %q", it.Clustering), it.Row, now)
			}
		}
	}
	if s.Err() != nil {
		fmt.Fprintf(&b, "error: %v\n", s.Err())
	}
	return b.String()
}

func dumpLive(b *strings.Builder, head *string, name string, encoded []byte, now uint32) {
	var r mutation.RowReader
	if err := r.Init(encoded); err != nil {
		b.WriteString(err.Error())
		return
	}
	if live := r; !live.Live(now) {
		return
	}
	b.WriteString(*head + name)
	*head = ""
	if r.Marker.Live(now) {
		fmt.Fprintf(b, " marker @%d ttl %d until %d", r.Marker.Timestamp, r.Marker.TTL, r.Marker.Expiry)
	}
	for r.NextCell() {
		if r.Cell.Live(now) {
			b.WriteString(cell(&r.Cell))
		}
	}
	b.WriteByte('\n')
}

// Forever is a time by which everything that expires has.
const Forever = math.MaxUint32
