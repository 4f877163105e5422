package bench

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ilion-db/ilion/ring"
)

// table answers statements of usertable from memory.
type table struct {
	cfg  *Config
	sent []int // by statement
	rows int64 // there are so many; others are missing
	null bool  // the last field of each row is null
}

type tableCall struct {
	*table
	number int
}

func (c tableCall) run(_ context.Context, values [][]byte, into rows) (string, error) {
	c.sent[c.number]++
	if c.number != ycsbRead && c.number != ycsbScan {
		return "node", nil
	}
	for n := range c.rows {
		key, hash := ycsbKey(nil, n)
		if string(key) != string(values[0]) {
			continue
		}
		row := [][]byte{key}
		for i := range c.cfg.Data.Columns {
			row = append(row, c.cfg.Data.text(nil, hash, i))
		}
		if c.null {
			row[len(row)-1] = nil
		}
		return "node", into.row(row)
	}
	return "node", nil
}

// ycsb returns a worker over a table.
func ycsb(workload string, rows int64) (*ycsbWorker, *table) {
	c := &Config{Workload: workload, Data: Data{Rows: rows}, Operations: 10_000}
	c.setDefaults()
	t := &table{cfg: c, sent: make([]int, ycsbUpdate+c.Data.Columns), rows: rows}
	r := &run{cfg: *c, inserted: newSequence(rows), overlap: true}
	var tally tally
	tally.init()
	w := r.newWorker(mainPhase, 0, &tally)
	for i := range t.sent {
		w.calls = append(w.calls, tableCall{t, i})
	}
	return newYCSBWorker(w), t
}

// The shares are what YCSB's core workloads say; with a seed the counts are
// always the same.
func TestMixes(t *testing.T) {
	const operations = 10_000
	for workload, want := range map[string][kinds]int{
		"ycsb-a": {readKind: 4969, updateKind: 5031},
		"ycsb-b": {readKind: 9508, updateKind: 492},
		"ycsb-c": {readKind: 10_000},
		"ycsb-d": {readKind: 9508, insertKind: 492},
		"ycsb-e": {scanKind: 9507, insertKind: 493},
		"ycsb-f": {readKind: 4969, readModifyWriteKind: 5031},
	} {
		w, _ := ycsb(workload, 1000)
		var counts [kinds]int
		for range operations {
			counts[w.kind()]++
		}
		if counts != want {
			t.Errorf("%s: %v, want %v", workload, counts, want)
		}
		m := mixes[workload]
		for k, share := range map[kind]float64{readKind: m.read, updateKind: m.update, insertKind: m.insert, scanKind: m.scan, readModifyWriteKind: m.readModifyWrite} {
			if math.Abs(float64(counts[k])-share*operations) > 4*math.Sqrt(operations*share*(1-share)) {
				t.Errorf("%s: %d of %d are %s, want a share of %v", workload, counts[k], operations, kindNames[k], share)
			}
		}
	}
}

func TestOperationsSendTheirStatements(t *testing.T) {
	for _, workload := range []string{"ycsb-a", "ycsb-d", "ycsb-e", "ycsb-f"} {
		w, table := ycsb(workload, 1000)
		var n [kinds]int
		for range 200 {
			k, err := w.operate(t.Context())
			if err != nil {
				// Rows that the run has inserted are not in the table.
				if !errors.Is(err, ErrWrong) || w.mix.insert == 0 {
					t.Fatalf("%s: %v", workload, err)
				}
			}
			n[k]++
		}
		updates := 0
		for _, s := range table.sent[ycsbUpdate:] {
			updates += s
		}
		got := []int{table.sent[ycsbInsert], table.sent[ycsbRead], table.sent[ycsbScan], updates}
		if n[insertKind] != got[0] || n[readKind]+n[readModifyWriteKind] != got[1] || n[scanKind] != got[2] || n[updateKind]+n[readModifyWriteKind] != got[3] {
			t.Errorf("%s: statements %v for operations %v", workload, got, n)
		}
	}
}

func TestScanLengths(t *testing.T) {
	w, _ := ycsb("ycsb-e", 1000)
	var counts [ycsbScanMost + 1]int
	for range 10_000 {
		if err := w.scan(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		counts[int(w.limit[2])<<8|int(w.limit[3])]++ // a longer one panics
	}
	for n, count := range counts {
		if n == 0 && count != 0 || n > 0 && (count < 50 || count > 160) {
			t.Errorf("%d scans of %d rows, want about 100", count, n)
		}
	}
}

// What is read is never beyond what has been inserted.
func TestOnlyRowsThatAreThereAreChosen(t *testing.T) {
	for _, workload := range []string{"ycsb-d", "ycsb-e"} {
		w, _ := ycsb(workload, 100)
		var newest int64
		for range 2000 {
			n := w.choose()
			if n >= w.inserted.count() {
				t.Fatalf("%s: row %d of %d", workload, n, w.inserted.count())
			}
			newest = max(newest, n)
			w.inserted.end(w.inserted.begin(), true)
		}
		if newest < 200 {
			t.Errorf("%s: nothing beyond row %d was chosen, though 2000 were inserted", workload, newest)
		}
	}
}

func TestMissingAndIncompleteRows(t *testing.T) {
	w, table := ycsb("ycsb-a", 10)
	if err := w.read(t.Context(), 5); err != nil {
		t.Error(err)
	}
	if err := w.read(t.Context(), 10); !errors.Is(err, ErrWrong) {
		t.Errorf("a missing row: %v", err)
	}
	table.null = true
	if err := w.read(t.Context(), 5); !errors.Is(err, ErrWrong) {
		t.Errorf("a null field: %v", err)
	}
	if w.tally.stale != 0 {
		t.Errorf("%d reads count as stale", w.tally.stale)
	}
	w.overlap = false
	if err := errors.Join(w.read(t.Context(), 5), w.read(t.Context(), 10)); err != nil || w.tally.stale != 2 {
		t.Errorf("levels that do not overlap: %v, %d stale", err, w.tally.stale)
	}
	w.overlap, table.null = true, false
	w.inserted.end(w.inserted.begin(), false)
	if err := w.read(t.Context(), 10); err != nil {
		t.Errorf("a row whose insert failed: %v", err)
	}
	if tally := w.tally.nodes["node"]; tally.Requests != 6 {
		t.Errorf("%d requests, want 6", tally.Requests)
	}
}

func tokenOf(n int64) ring.Token {
	key, _ := ycsbKey(nil, n)
	return ring.Murmur3(key)
}

func TestRowsOfScansAreChecked(t *testing.T) {
	w, _ := ycsb("ycsb-e", 10)
	rowOf := func(n int64) [][]byte {
		key, hash := ycsbKey(nil, n)
		row := [][]byte{key}
		for i := range w.cfg.Data.Columns {
			row = append(row, w.cfg.Data.text(nil, hash, i))
		}
		return row
	}
	order := []int64{0, 1, 2}
	slices.SortFunc(order, func(a, b int64) int { return cmp.Compare(tokenOf(a), tokenOf(b)) })
	first, _ := ycsbKey(nil, order[0])
	w.start = first
	for _, n := range order {
		if err := w.row(rowOf(n)); err != nil {
			t.Error(err)
		}
	}
	if w.found != 3 || w.stale {
		t.Errorf("%d rows, stale %v", w.found, w.stale)
	}
	if err := w.row(rowOf(order[0])); !errors.Is(err, ErrWrong) {
		t.Errorf("a row out of order: %v", err)
	}
	bad := rowOf(order[2])
	bad[3] = []byte("x")
	if err := w.row(bad); !errors.Is(err, ErrWrong) {
		t.Errorf("a wrong field: %v", err)
	}
	for _, key := range []string{"", "user", "user12x", "usr1", "user12345678901234567890"} {
		if _, ok := keyHash([]byte(key)); ok {
			t.Errorf("%q is a key", key)
		}
	}
	w.found, w.stale = 0, false
	if w.row(rowOf(order[1])); !w.stale {
		t.Error("a scan that does not begin with its row goes unnoticed")
	}
}

func TestTextsAreFunctionsAndASCII(t *testing.T) {
	d := Data{ValueSize: 100, ValueSizeMin: 50, Seed: 3}
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for range 1000 {
		hash, field := r.Uint64(), r.IntN(10)
		text := d.text(nil, hash, field)
		if string(text) != string(d.text(make([]byte, 3), hash, field)) || len(text) < 50 || len(text) > 100 {
			t.Fatalf("%q", text)
		}
		for _, c := range text {
			if c < ' ' || c > '_' {
				t.Fatalf("%q has a byte %d", text, c)
			}
		}
		seen[string(text)] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different texts of 1000", len(seen))
	}
}
