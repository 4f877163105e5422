package plan_test

import (
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/mutation"
)

// bind compiles a batch and binds it without values.
func (w *world) bind(b *plan.Binder, text string) error {
	p, err := w.compile(text)
	if err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	return p.Batch.Bind(b, func(int) []plan.Value { return nil }, &plan.Options{Clock: 1_700_000_000_000_000})
}

func TestBatchMergesPartitions(t *testing.T) {
	w := newWorld(t)
	b := plan.NewBinder(w.env)
	for _, c := range []struct {
		text    string
		records int
		atomic  bool
	}{
		{"BEGIN BATCH INSERT INTO p (a, b, v) VALUES (1, 'x', 1); UPDATE p SET v = 2 WHERE a = 1 AND b = 'x'; DELETE v FROM p WHERE a = 1 AND b = 'x'; APPLY BATCH", 1, false},
		{"BEGIN BATCH INSERT INTO p (a, b) VALUES (1, 'x'); INSERT INTO p (a, b) VALUES (2, 'x'); INSERT INTO p (a, b, v) VALUES (1, 'x', 3); APPLY BATCH", 2, true},
		{"BEGIN UNLOGGED BATCH INSERT INTO p (a, b) VALUES (1, 'x'); INSERT INTO coll (k) VALUES (1); APPLY BATCH", 2, false},
		{"BEGIN BATCH UPDATE p SET v = 2 WHERE a IN (1, 2) AND b = 'x'; INSERT INTO p (a, b) VALUES (2, 'x'); APPLY BATCH", 2, true},
		{"BEGIN BATCH APPLY BATCH", 0, false},
	} {
		if err := w.bind(b, c.text); err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		if len(b.Records) != c.records || b.Atomic != c.atomic {
			t.Errorf("%s: %d records, atomic %t", c.text, len(b.Records), b.Atomic)
		}
		for _, r := range b.Records {
			if err := r.Check(); err != nil {
				t.Error(err)
			}
			if r.Optional()&mutation.FlagServerStamped == 0 {
				t.Errorf("%s: not stamped by the server", c.text)
			}
		}
		b.Reset()
	}
}

func TestBatchSizes(t *testing.T) {
	w := newWorld(t)
	b := plan.NewBinder(w.env)
	big := func(keys ...string) string {
		var s strings.Builder
		s.WriteString("BEGIN BATCH ")
		for _, k := range keys {
			s.WriteString("INSERT INTO coll (k, b) VALUES (" + k + ", 0x" + strings.Repeat("ab", 26<<10) + "); ")
		}
		return s.String() + "APPLY BATCH"
	}
	if err := w.bind(b, big("1", "1", "1")); err != nil || len(b.Warnings) != 0 {
		t.Errorf("one partition: %v, %v", err, b.Warnings)
	}
	b.Reset()
	if err := w.bind(b, big("1", "2")); err == nil || err.Error() != "Batch too large" || len(b.Records) != 0 {
		t.Errorf("two partitions: %v, %d records", err, len(b.Records))
	}
	text := strings.Replace(big("1", "2"), strings.Repeat("ab", 26<<10), strings.Repeat("cd", 3000), 2)
	if err := w.bind(b, text); err != nil || len(b.Warnings) != 1 ||
		!strings.HasPrefix(b.Warnings[0], "Batch for [ks.coll] is of size 6") || !strings.Contains(b.Warnings[0], "exceeding specified threshold of 5120 by ") {
		t.Errorf("two small partitions: %v, %v", err, b.Warnings)
	}
}

func TestBatchOfPrepared(t *testing.T) {
	w := newWorld(t)
	ins, err := w.compile("INSERT INTO p (a, b, v) VALUES (?, ?, ?)")
	if err != nil {
		t.Fatal(err)
	}
	bt, err := plan.NewBatch(cql.BatchUnlogged, []*plan.Modification{ins.Modification, ins.Modification})
	if err != nil {
		t.Fatal(err)
	}
	values := [][]plan.Value{
		{{Bytes: []byte{0, 0, 0, 1}}, {Bytes: []byte("x")}, {Bytes: []byte{0, 0, 0, 9}}},
		{{Bytes: []byte{0, 0, 0, 1}}, {Bytes: []byte("y")}, {Unset: true}},
	}
	b := plan.NewBinder(w.env)
	o := &plan.Options{Clock: 5_000_000, Timestamp: 7, HasTimestamp: true}
	if err := bt.Bind(b, func(i int) []plan.Value { return values[i] }, o); err != nil {
		t.Fatal(err)
	}
	if len(b.Records) != 2 || b.Atomic || b.Records[0].Timestamp() != 7 || b.Records[0].Optional() != 0 {
		t.Errorf("%d records at %d", len(b.Records), b.Records[0].Timestamp())
	}
	for _, host := range [][16]byte{{}, {7, 15: 9}} {
		b.Reset()
		o.Coordinator = host
		if err := bt.Bind(b, func(i int) []plan.Value { return values[i] }, o); err != nil {
			t.Fatal(err)
		}
		if got, named := b.Records[0].Coordinator(); got != host || named != (host != [16]byte{}) {
			t.Errorf("coordinator %x, %t, want %x", got, named, host)
		}
	}
	b.Reset()
	values[1][0] = plan.Value{}
	err = bt.Bind(b, func(i int) []plan.Value { return values[i] }, o)
	if err == nil || err.Error() != "Invalid null value in condition for column a" || len(b.Records) != 0 {
		t.Error(err, len(b.Records))
	}
	if _, err := plan.NewBatch(cql.BatchCounter, []*plan.Modification{ins.Modification}); err == nil {
		t.Error("a counter batch took an INSERT")
	}
}
