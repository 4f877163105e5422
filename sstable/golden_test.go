package sstable

import (
	"bytes"
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

var rewrite = flag.Bool("rewrite", false, "write golden files anew")

// smallParts are a few partitions with everything in them.
func smallParts() []modelPart {
	d1 := mutation.Deletion{Timestamp: 500, LocalTime: 600, Set: true}
	d2 := mutation.Deletion{Timestamp: 700, LocalTime: 800, Set: true}
	r := func(c string, ts int64, v string) mutation.Item {
		return mutation.Item{Kind: mutation.ItemRow, Clustering: []byte(c), Row: row(ts, []byte(v))}
	}
	wide := modelPart{head: mutation.Partition{Token: 20, Key: []byte("key-b"), Static: row(33, []byte("static")), Deletion: d1}}
	for i := range 24 {
		wide.items = append(wide.items, r(fmt.Sprintf("row%02d", i), int64(1000+i), "value of a row"))
		if i == 5 {
			wide.items = append(wide.items, mutation.Item{Kind: mutation.ItemBoundary, Clustering: []byte("row05x"), After: d2})
		}
		if i == 15 {
			wide.items = append(wide.items, mutation.Item{Kind: mutation.ItemBoundary, Clustering: []byte("row15x"), Before: d2})
		}
	}
	return []modelPart{
		{head: mutation.Partition{Token: -5000, Key: []byte("key-a")}, items: []mutation.Item{r("", 100, "one")}},
		{head: mutation.Partition{Token: 20, Key: []byte("key-aa")}, items: []mutation.Item{r("x", 105, "two"), r("y", 104, "three")}},
		wide,
		{head: mutation.Partition{Token: 1 << 40, Key: []byte("key-c"), Deletion: d2}},
	}
}

func smallOptions() Options {
	return Options{
		BlockSize: 256, Table: schema.TableID{1, 2, 3}, SchemaEpoch: 9, HostID: schema.UUID{4, 5},
		Columns:      []Column{{ID: 3, Kind: schema.Regular, Type: "text"}, {ID: 4, Kind: schema.Regular, Type: "blob", DroppedAt: 77}},
		LogPositions: []byte("positions"), RepairedAt: 12, Level: 2, FormatLevel: 1,
	}
}

func readFile(t testing.TB, fs vfs.FS, name string) []byte {
	t.Helper()
	b, err := vfs.ReadFile(fs, name, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, fs vfs.FS, name string, b []byte) {
	t.Helper()
	if err := vfs.WriteFileAtomic(fs, name, b); err != nil {
		t.Fatal(err)
	}
}

// hexdump is hex.Dump with runs of zeros left out.
func hexdump(b []byte) []byte {
	var out strings.Builder
	for i, line := range strings.SplitAfter(hex.Dump(b), "\n") {
		if at := i * 16; at+16 <= len(b) && at+16 < len(b) && bytes.Equal(b[at:at+16], make([]byte, 16)) {
			continue
		}
		out.WriteString(line)
	}
	return []byte(out.String())
}

func TestGolden(t *testing.T) {
	fs := vfs.NewMem()
	write(t, fs, "/t", smallOptions(), smallParts())
	b := readFile(t, fs, "/t")
	got := hexdump(b)
	name := filepath.Join("testdata", "v1.hex")
	file := filepath.Join("testdata", "v1.sst")
	if *rewrite {
		for name, data := range map[string][]byte{name: got, file: b} {
			if err := os.WriteFile(name, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("format changed:\n%s", got)
	}
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, fs, "/old", old)
	r := open(t, fs, "/old", OpenOptions{})
	if err := scan(r, false, smallParts()); err != nil {
		t.Error(err)
	}
	if err := r.Verify(context.Background()); err != nil {
		t.Error(err)
	}
}

// scan reads everything and compares.
func scan(r *Reader, reverse bool, parts []modelPart) error {
	it := r.NewIter(nil, IterOptions{Reverse: reverse})
	defer it.Close()
	for i := range parts {
		p := &parts[i]
		if !it.NextPartition() {
			return fmt.Errorf("partition %d: %w", i, orEarly(it.Err()))
		}
		if err := checkHead(it, p); err != nil {
			return err
		}
		for j := range p.items {
			if reverse {
				j = len(p.items) - 1 - j
			}
			if !it.Next() {
				return fmt.Errorf("item %d: %w", j, orEarly(it.Err()))
			}
			if err := sameItem(it.Item(), &p.items[j]); err != nil {
				return err
			}
		}
		if it.Next() {
			return fmt.Errorf("item behind the last")
		}
		if it.Err() != nil {
			return it.Err()
		}
	}
	if it.NextPartition() {
		return fmt.Errorf("partition behind the last")
	}
	return it.Err()
}

var errEarly = fmt.Errorf("ends early")

func orEarly(err error) error {
	if err == nil {
		return errEarly
	}
	return err
}
