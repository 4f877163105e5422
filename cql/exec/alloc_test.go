package exec_test

import (
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/rand"
)

func TestBindAllocatesNothing(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k text, c int, v text, w bigint, PRIMARY KEY (k, c))")
	for _, c := range []struct {
		text   string
		values []plan.Value
	}{
		{"INSERT INTO t (k, c, v, w) VALUES (?, ?, ?, ?)", []plan.Value{text("key"), i32(1), text("value"), {Bytes: make([]byte, 8)}}},
		{"UPDATE t USING TTL ? SET v = ?, w = ? WHERE k = ? AND c = ?", []plan.Value{i32(9), text("x"), {}, text("key"), i32(1)}},
		{"DELETE FROM t WHERE k = ? AND c = ?", []plan.Value{text("key"), i32(1)}},
	} {
		p, err := d.compile(c.text)
		if err != nil {
			t.Fatal(err)
		}
		b, o := plan.NewBinder(d.env), d.options()
		n := testing.AllocsPerRun(100, func() {
			if err := p.Modification.Bind(b, c.values, o); err != nil {
				t.Fatal(err)
			}
			b.Reset()
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", c.text, n)
		}
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k text, c int, v text, w bigint, PRIMARY KEY (k, c))")
	for c := range int32(100) {
		d.run("INSERT INTO t (k, c, v, w) VALUES ('key', ?, ?, 7)", i32(c), text(strings.Repeat("value", int(c))))
	}
	for statement, rows := range map[string]int{
		"SELECT * FROM t WHERE k = ? AND c = ?":              1,
		"SELECT c, v FROM t WHERE k = ? AND c >= ? LIMIT 90": 90,
	} {
		p, err := d.compile(statement)
		if err != nil {
			t.Fatal(err)
		}
		q, r, o := plan.NewQuery(d.env), exec.NewReader([]byte("key")), d.options()
		src := d.tables[p.Table.ID].Source(false)
		values := []plan.Value{text("key"), i32(1)}
		var dst []byte
		n := testing.AllocsPerRun(100, func() {
			src.Rewind()
			if err := p.Select.Bind(q, values, o); err != nil {
				t.Fatal(err)
			}
			if err := r.Resume(q, nil); err != nil {
				t.Fatal(err)
			}
			var res exec.Result
			dst, res, err = r.Page(q, src, dst[:0])
			if err != nil || res.Rows != rows {
				t.Fatal(res, err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", statement, n)
		}
	}
}

func BenchmarkBindInsert(b *testing.B) {
	d := newDB(b)
	d.run("CREATE TABLE t (k text, c int, v text, w bigint, PRIMARY KEY (k, c))")
	p, err := d.compile("INSERT INTO t (k, c, v, w) VALUES (?, ?, ?, ?)")
	if err != nil {
		b.Fatal(err)
	}
	values := []plan.Value{text("some key"), i32(1), text("some value of a usual size"), {Bytes: make([]byte, 8)}}
	binder, o := plan.NewBinder(plan.NewEnv(rand.NewSeeded(1))), d.options()
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Modification.Bind(binder, values, o); err != nil {
			b.Fatal(err)
		}
		binder.Reset()
	}
}

func BenchmarkPage(b *testing.B) {
	d := newDB(b)
	d.run("CREATE TABLE t (k int, c int, v text, w bigint, PRIMARY KEY (k, c))")
	for i := range int32(100) {
		d.run("INSERT INTO t (k, c, v, w) VALUES (1, ?, 'some value of a usual size', 7)", i32(i))
	}
	p, err := d.compile("SELECT * FROM t WHERE k = 1")
	if err != nil {
		b.Fatal(err)
	}
	q, r, o := plan.NewQuery(d.env), exec.NewReader([]byte("key")), d.options()
	src := d.tables[p.Table.ID].Source(false)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		src.Rewind()
		if err := p.Select.Bind(q, nil, o); err != nil {
			b.Fatal(err)
		}
		if dst, _, err = r.Page(q, src, dst[:0]); err != nil {
			b.Fatal(err)
		}
	}
	page := b.Elapsed()
	b.ReportMetric(float64(page.Nanoseconds())/float64(b.N)/100, "ns/row")
	other := make([]byte, len(dst))
	b.ResetTimer()
	for range b.N {
		copy(other, dst)
	}
	b.ReportMetric(float64(page)/float64(b.Elapsed()), "x-copy")
}
