package batchlog

import (
	"bytes"
	"encoding/hex"
	"flag"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func TestGolden(t *testing.T) {
	for file, b := range map[string][]byte{
		"testdata/batch.golden": appendBatch(nil, idOf(6), 1_750_000_000_000_000, []mutation.Record{record(1, 4), record(2, 0)}),
		"testdata/marks.golden": appendMarks(nil, [][16]byte{idOf(1), idOf(2)}),
	} {
		got := hex.Dump(b)
		if *rewrite {
			if err := vfs.WriteFileAtomic(vfs.OS, file, []byte(got)); err != nil {
				t.Fatal(err)
			}
		}
		want, err := vfs.ReadFile(vfs.OS, file, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Fatalf("the format has changed:\n%s\nwant:\n%s", got, want)
		}
	}
}

func TestDecode(t *testing.T) {
	whole := appendBatch(nil, idOf(6), 7, []mutation.Record{record(1, 4), record(2, 0)})
	id, created, err := decodeHead(whole)
	if err != nil || id != idOf(6) || created != 7 {
		t.Fatalf("%x, %d, %v", id, created, err)
	}
	records, err := decodeRecords(whole)
	if err != nil || len(records) != 2 || !bytes.Equal(records[0], record(1, 4)) || !bytes.Equal(records[1], record(2, 0)) {
		t.Fatalf("%x, %v", records, err)
	}
	for n := range whole {
		if _, err := decodeRecords(whole[:n]); err == nil {
			t.Fatalf("cut at %d", n)
		}
	}
	if _, err := decodeRecords(append(bytes.Clone(whole), 0)); err == nil {
		t.Fatal("a byte too many")
	}
}

func FuzzEntry(f *testing.F) {
	f.Add(appendBatch(nil, idOf(6), 7, []mutation.Record{record(1, 4), record(2, 0)}))
	f.Add(appendMarks(nil, [][16]byte{idOf(1), idOf(2)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		marks := 0
		if decodeMarks(b, func([16]byte) { marks++ }) == nil && marks != (len(b)-1)/idLen {
			t.Fatalf("%d marks in %d bytes", marks, len(b))
		}
		id, created, err := decodeHead(b)
		if err != nil {
			return
		}
		records, err := decodeRecords(b)
		if err != nil {
			return
		}
		again := appendBatch(nil, id, created, records)
		got, err := decodeRecords(again)
		if err != nil || len(got) != len(records) {
			t.Fatalf("%d records became %d, %v", len(records), len(got), err)
		}
	})
}
