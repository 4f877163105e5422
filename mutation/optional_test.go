package mutation_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/ilion-db/ilion/internal/golden"
	"github.com/ilion-db/ilion/mutation"
)

var coordinator = [16]byte{0xc0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// namedRecord is a record that names its coordinator, and atOptional where its
// optional fields begin.
func namedRecord() mutation.Record {
	var b mutation.Builder
	b.Begin(nil, mutation.Header{Epoch: 7, Timestamp: 5, Token: -2, Key: []byte("partition"),
		Optional: mutation.FlagServerStamped, Coordinator: coordinator})
	b.BeginRow([]byte{0x40, 0x01})
	b.Cell(mutation.Cell{Column: 3, Timestamp: 5, Value: []byte("plain")})
	b.EndRow()
	b.DeletePartition(mutation.Deletion{Timestamp: 4, LocalTime: 6, Set: true})
	return b.Finish()
}

const atOptional = 46 + len("partition")

func entries(t *testing.T, r mutation.Record) (kinds []mutation.EntryKind) {
	t.Helper()
	e := r.Entries()
	for e.Next() {
		kinds = append(kinds, e.Kind)
	}
	if e.Err() != nil {
		t.Fatal(e.Err())
	}
	return kinds
}

func TestGoldenCoordinator(t *testing.T) {
	r := namedRecord()
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "coordinator.hex", hex.Dump(r))
	if host, known := r.Coordinator(); !known || host != coordinator {
		t.Errorf("coordinator %x, %t", host, known)
	}
	if host, known := goldenRecord().Coordinator(); known {
		t.Errorf("coordinator %x of a record of the first level", host)
	}
}

// A reader passes over optional fields that it does not know, whatever they
// hold, and finds those that it knows behind them.
func TestOptionalFields(t *testing.T) {
	plain := namedRecord()
	want := entries(t, plain)
	for _, unknown := range [][]byte{{255, 0}, {128, 1, 9}, {200, 3, 1, 2, 3}, append([]byte{254, 0x80, 0x01}, make([]byte, 128)...), {129, 2, 0, 0}} {
		r := mutation.Record(slices.Insert(bytes.Clone(plain), atOptional, unknown...))
		if err := r.Check(); err != nil {
			t.Fatalf("%x: %v", unknown, err)
		}
		if got := entries(t, r); !slices.Equal(got, want) {
			t.Errorf("%x: entries %v, want %v", unknown, got, want)
		}
		if host, known := r.Coordinator(); !known || host != coordinator {
			t.Errorf("%x: coordinator %x, %t", unknown, host, known)
		}
		if err := r.Restamp(r.Timestamp() + 1); err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(r, unknown) {
			t.Errorf("%x is lost", unknown)
		}
	}
}

// An optional field that is cut off, or that comes behind an entry, is damage.
func TestOptionalFieldsDamaged(t *testing.T) {
	plain := namedRecord()
	for _, r := range []mutation.Record{
		plain[:atOptional+1], plain[:atOptional+9], append(bytes.Clone(plain), 255, 0),
		slices.Insert(bytes.Clone(plain), atOptional, 255, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
	} {
		if err := r.Check(); !errors.Is(err, mutation.ErrCorrupt) {
			t.Errorf("%x: %v", r, err)
		}
		r.Coordinator() // must not panic
	}
}
