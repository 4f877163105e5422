package plan_test

import (
	"testing"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/plan"
)

func BenchmarkCompile(b *testing.B) {
	w := newWorld(b)
	for _, c := range [][2]string{
		{"insert", "INSERT INTO t (k, c1, c2, v, w) VALUES (?, ?, ?, ?, ?)"},
		{"select", "SELECT * FROM t WHERE k = ? AND c1 = ? AND c2 = ?"},
		{"values", "INSERT INTO t (k, c1, c2, v, w) VALUES (1, 2, 'three', 'four', 5)"},
	} {
		stmt, err := cql.Parse(c[1])
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c[0], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := plan.Compile(stmt, w.snap, "ks"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBindSelect(b *testing.B) {
	w := newWorld(b)
	p, err := w.compile("SELECT * FROM t WHERE k = ? AND c1 = ? AND c2 = ?")
	if err != nil {
		b.Fatal(err)
	}
	q, o := plan.NewQuery(w.env), &plan.Options{Clock: 5_000_000}
	values := []plan.Value{{Bytes: []byte{0, 0, 0, 1}}, {Bytes: []byte{0, 0, 0, 1}}, {Bytes: []byte("some text")}}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Select.Bind(q, values, o); err != nil {
			b.Fatal(err)
		}
	}
}
