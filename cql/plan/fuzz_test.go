package plan_test

import (
	"testing"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/plan"
)

// FuzzCompile compiles any text that parses and binds it to values made of one
// byte string: no panic, and no record that its own checks refuse.
func FuzzCompile(f *testing.F) {
	for _, c := range refusals {
		f.Add(c[0], []byte{0, 0, 0, 1})
	}
	for _, s := range []string{
		"INSERT INTO coll (k, l, s, m, f, d, u, b, n, e, ts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL ? AND TIMESTAMP ?",
		"UPDATE coll SET l = l + ?, s = s - ?, m[?] = ?, m = m + ?, l[?] = ? WHERE k IN ?",
		"DELETE m[?], l[?] FROM coll WHERE k = ?",
		"SELECT k + ?, (int)? - k, m[?], CAST(n AS text), abs(e), blob_as_int(?) FROM coll WHERE k = ? AND l CONTAINS ? AND m[?] = ? ALLOW FILTERING",
		"SELECT * FROM t WHERE k IN ? AND (c1, c2) IN ? PER PARTITION LIMIT ? LIMIT ?",
		"SELECT * FROM t WHERE k = ? AND (c1, c2) > ? AND c1 <= ?",
		"SELECT * FROM p WHERE token(a, b) >= ? AND token(a, b) < token(?, ?)",
		"INSERT INTO coll (k, l, m) VALUES (? + 1, [?, 2], {'a': ?})",
		"BEGIN BATCH INSERT INTO p (a, b) VALUES (?, ?); DELETE FROM t WHERE k = ? AND c1 > ?; APPLY BATCH",
	} {
		f.Add(s, []byte{0, 0, 0, 1})
		f.Add(s, []byte{0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 9})
		f.Add(s, []byte{})
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, text string, value []byte) {
		stmt, err := cql.Parse(text)
		if err != nil {
			return
		}
		p, err := plan.Compile(stmt, w.snap, "ks")
		if err != nil {
			return
		}
		values := make([]plan.Value, len(p.Bind.Columns()))
		for i := range values {
			values[i].Bytes = value
		}
		o := &plan.Options{Clock: 1_700_000_000_000_000, Datacenters: []string{"dc1"}}
		b := plan.NewBinder(w.env)
		switch p.Kind {
		case plan.KindModification:
			if p.Modification.NeedsRead() {
				_, _ = p.Modification.ReadCommand(b, values, o)
			}
			_ = p.Modification.Bind(b, values, o)
		case plan.KindBatch:
			_ = p.Batch.Bind(b, func(int) []plan.Value { return values }, o)
		case plan.KindSelect:
			q := plan.NewQuery(w.env)
			if p.Select.Bind(q, values, o) != nil {
				return
			}
			for _, x := range p.Select.Columns {
				if x.Kind == plan.ExprConst || x.Kind == plan.ExprTerm {
					_, _ = x.Eval(q, nil)
				}
			}
		case plan.KindSchema:
			if p.Schema.NoOp {
				return
			}
			if c, check, err := p.Schema.Change(w.env, o); err == nil && check(w.snap) == nil {
				_, _ = w.snap.Apply(c, w.snap.Epoch+1)
			}
		}
		for _, r := range b.Records {
			if err := r.Check(); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
	})
}
