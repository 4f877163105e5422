package plan_test

import (
	"bytes"
	"testing"

	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/mutation"
)

// boundValues are what markers are bound to in turn: good, null, unset, not valid.
var boundValues = []plan.Value{
	{Bytes: []byte{0, 0, 0, 1}}, {Bytes: []byte("text")}, {Bytes: []byte{}}, {}, {Unset: true}, {Bytes: []byte{0xff, 0xfe, 0xff, 0xff}}, {Bytes: make([]byte, 70000)},
}

// What AppendDirect takes is encoded as Bind does it; what Bind refuses it leaves.
func TestAppendDirect(t *testing.T) {
	w := newWorld(t)
	for text, direct := range map[string]bool{
		"INSERT INTO t (k, c1, c2, v) VALUES (?, ?, ?, ?)":                   true,
		"INSERT INTO t (c2, w, k, c1) VALUES (?, ?, ?, ?)":                   true,
		"UPDATE t SET w = ? WHERE k = ? AND c1 = ? AND c2 = ?":               true,
		"INSERT INTO p (a, b, v) VALUES (?, ?, ?)":                           true,
		"INSERT INTO coll (k, f, b, n) VALUES (?, ?, ?, ?)":                  true,
		"INSERT INTO t (k, c1, c2, v) VALUES (?, ?, ?, 'a')":                 false,
		"INSERT INTO t (k, c1, c2, s) VALUES (?, ?, ?, ?)":                   false,
		"INSERT INTO t (k, c1, c2, v) VALUES (?, ?, ?, ?) USING TTL 5":       false,
		"INSERT INTO t (k, c1, c2, v) VALUES (?, ?, ?, ?) USING TIMESTAMP ?": false,
		"UPDATE t SET v = ? WHERE k = ? AND c1 = ? AND c2 IN (?, ?)":         false,
		"DELETE v FROM t WHERE k = ? AND c1 = ? AND c2 = ?":                  false,
		"DELETE FROM t WHERE k = ? AND c1 = ? AND c2 = ?":                    false,
		"INSERT INTO coll (k, l) VALUES (?, ?)":                              false,
	} {
		p, err := w.compile(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		m := p.Modification
		if m.Direct() != direct {
			t.Errorf("%s: direct %v", text, m.Direct())
		}
		if !direct {
			continue
		}
		values := make([]plan.Value, len(p.Bind.Columns()))
		taken := 0
		var choose func(i int)
		choose = func(i int) {
			if i < len(values) {
				for _, values[i] = range boundValues {
					choose(i + 1)
				}
				return
			}
			for _, o := range []plan.Options{{Clock: 7}, {Clock: 7, Timestamp: -5, HasTimestamp: true, Coordinator: [16]byte{1}}} {
				var d plan.Direct
				got, ok := m.AppendDirect(&d, []byte{9}, values, &o, func() int64 { return 7 })
				if !ok {
					if len(got) != 1 {
						t.Fatalf("%s of %v: refused after %d bytes", text, values, len(got))
					}
					continue
				}
				taken++
				b := plan.NewBinder(w.env)
				if err := m.Bind(b, values, &o); err != nil || len(b.Records) != 1 || !bytes.Equal(got[1:], b.Records[0]) {
					t.Fatalf("%s of %v: %x, bound %x %v", text, values, got[1:], b.Records, err)
				}
			}
		}
		choose(0)
		if taken == 0 {
			t.Errorf("%s: no values are taken", text)
		}
	}
}

// DirectRow names the row that Bind does.
func TestDirectRow(t *testing.T) {
	w := newWorld(t)
	for text, direct := range map[string]bool{
		"SELECT w FROM t WHERE k = ? AND c1 = ? AND c2 = ?":               false, // static columns
		"SELECT v, a FROM p WHERE a = ? AND b = ?":                        true,
		"SELECT * FROM coll WHERE k = ?":                                  true,
		"SELECT b FROM coll WHERE k = 1":                                  false,
		"SELECT b FROM coll WHERE k IN (?, ?)":                            false,
		"SELECT b FROM coll WHERE k = ? LIMIT 1":                          false,
		"SELECT count(*) FROM coll WHERE k = ?":                           false,
		"SELECT writetime(b) FROM coll WHERE k = ?":                       false,
		"SELECT JSON b FROM coll WHERE k = ?":                             false,
		"SELECT v FROM p WHERE a = ? AND b = ? AND v = ? ALLOW FILTERING": false,
	} {
		p, err := w.compile(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		s := p.Select
		if s.Direct() != direct {
			t.Errorf("%s: direct %v", text, s.Direct())
		}
		if !direct {
			continue
		}
		values := make([]plan.Value, len(p.Bind.Columns()))
		taken := 0
		var choose func(i int)
		choose = func(i int) {
			if i < len(values) {
				for _, values[i] = range boundValues {
					choose(i + 1)
				}
				return
			}
			var d plan.Direct
			key, clustering, ok := s.DirectRow(&d, values)
			if !ok {
				return
			}
			taken++
			q := plan.NewQuery(w.env)
			err := s.Bind(q, values, &plan.Options{})
			if err != nil || !q.Point || q.Command.Keys[0].Token != key.Token || !bytes.Equal(q.Command.Keys[0].Key, key.Key) {
				t.Fatalf("%s of %v: %x, bound %+v %v", text, values, key, q.Command, err)
			}
			if in := (mutation.Slice{}); len(q.Command.Slices) == 1 {
				if in = q.Command.Slices[0]; bytes.Compare(in.Lo, clustering) > 0 || bytes.Compare(clustering, in.Hi) >= 0 {
					t.Fatalf("%s of %v: %x is not in %x", text, values, clustering, in)
				}
			}
		}
		choose(0)
		if taken == 0 {
			t.Errorf("%s: no values are taken", text)
		}
	}
}
