package mutation_test

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/internal/golden"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
)

// goldenRow holds every kind of part that a row can have.
func goldenRow(b *mutation.Builder) {
	b.Marker(mutation.Marker{Timestamp: 1_700_000_000_000_000, TTL: 3600, Expiry: 1_700_003_600, Set: true})
	b.DeleteRow(mutation.Deletion{Timestamp: 1_600_000_000_000_000, LocalTime: 1_600_000_000, Set: true})
	b.Cell(mutation.Cell{Column: 3, Timestamp: 1_700_000_000_000_000, Value: []byte("plain")})
	b.Cell(mutation.Cell{Column: 4, Timestamp: 1_699_999_999_999_999, Value: []byte("older")})
	b.Cell(mutation.Cell{Column: 200, Timestamp: 1_700_000_000_000_000, Flags: mutation.CellExpiring,
		TTL: 60, LocalTime: 4_000_000_000, Value: []byte{}})
	b.Cell(mutation.Cell{Column: 5, Timestamp: 1_650_000_000_000_000, Flags: mutation.CellTombstone, LocalTime: 1_650_000_000})
	b.Cell(mutation.Cell{Column: 6, Timestamp: 1_699_999_999_999_999,
		Flags: mutation.CellTombstone | mutation.CellCollection, LocalTime: 1_700_000_000})
	b.Cell(mutation.Cell{Column: 6, Timestamp: 1_700_000_000_000_000, Flags: mutation.CellPath,
		Path: []byte("key"), Value: []byte("value")})
	b.Cell(mutation.Cell{Column: 2, Timestamp: 1_700_000_000_000_000, Flags: mutation.CellKey, Value: []byte{0x80}})
}

func goldenRecord() mutation.Record {
	var b mutation.Builder
	h := mutation.Header{Epoch: 7, Timestamp: 1_700_000_000_000_000, Token: -2, Key: []byte("partition"),
		Optional: mutation.FlagServerStamped, Origin: mutation.FromReadRepair}
	for i := range h.Table {
		h.Table[i] = byte(i)
	}
	b.Begin(nil, h)
	b.DeletePartition(mutation.Deletion{Timestamp: 5, LocalTime: 6, Set: true})
	b.BeginStatic()
	b.Cell(mutation.Cell{Column: 9, Timestamp: 1_700_000_000_000_000, Value: []byte("static")})
	b.EndRow()
	b.BeginRow([]byte{0x40, 0x01})
	goldenRow(&b)
	b.EndRow()
	b.DeleteRange([]byte{0x40}, nil, mutation.Deletion{Timestamp: -1, LocalTime: 8, Set: true})
	return b.Finish()
}

func TestGoldenRecord(t *testing.T) {
	r := goldenRecord()
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "record.hex", hex.Dump(r))
	e := r.Entries()
	text := ""
	for e.Next() {
		text += fmt.Sprintf("entry %d", e.Kind)
		switch e.Kind {
		case mutation.EntryRow, mutation.EntryStatic:
			text += fmt.Sprintf(" at %x:%s\n%s", e.Clustering, mutationtest.Row(e.Row), hex.Dump(e.Row))
		default:
			text += fmt.Sprintf(" %x to %x: %+v\n", e.Start, e.End, e.Deletion)
		}
	}
	golden.Check(t, "entries.txt", text)
}

func TestGoldenDigest(t *testing.T) {
	var d mutation.Digest
	text := ""
	for _, now := range []uint32{1_700_000_000, 1_800_000_000, 4_100_000_000} {
		d.Reset(now, nil)
		r := goldenRecord()
		d.Partition(&mutation.Partition{Token: r.Token(), Key: r.Key()})
		e := r.Entries()
		for e.Next() {
			var err error
			switch e.Kind {
			case mutation.EntryStatic:
				err = d.Static(e.Row)
			case mutation.EntryRow:
				err = d.Row(e.Clustering, e.Row)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		text += fmt.Sprintf("now %d: %x\n", now, d.Sum())
	}
	golden.Check(t, "digest.txt", text)
}

func TestRestamp(t *testing.T) {
	r := goldenRecord()
	if err := r.Restamp(r.Timestamp() + 10); err != nil {
		t.Fatal(err)
	}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Timestamp(), int64(1_700_000_000_000_010); got != want {
		t.Errorf("base %d, want %d", got, want)
	}
	e := r.Entries()
	for e.Next() {
		switch e.Kind {
		case mutation.EntryPartitionDeletion:
			if e.Deletion.Timestamp != 15 {
				t.Errorf("partition deletion at %d", e.Deletion.Timestamp)
			}
		case mutation.EntryStatic:
			if s := mutationtest.Row(e.Row); s != ` | 9 @1700000000000010 ="static"` {
				t.Errorf("static%s", s)
			}
		}
	}
}
