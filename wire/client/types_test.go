package client_test

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire/client"
)

// Values of every type come back as they went.
func TestTypes(t *testing.T) {
	moment := time.Date(2026, 11, 22, 5, 4, 3, 21e6, time.UTC)
	values := []struct {
		typ  string
		v    any
		want any // if not v
	}{
		{"ascii", "abc", nil}, {"text", "äöü", nil}, {"varchar", "x", nil}, {"blob", []byte{0, 1, 255}, nil},
		{"boolean", true, nil}, {"tinyint", int8(-5), nil}, {"smallint", int16(-500), nil}, {"int", -70000, nil},
		{"bigint", int64(math.MinInt64), nil}, {"varint", new(big.Int).Lsh(big.NewInt(-3), 100), nil}, {"decimal", "-1.50", nil},
		{"float", float32(1.5), nil}, {"double", -2.25, nil}, {"uuid", schema.UUID{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89}, nil},
		{"timeuuid", schema.UUID{1, 2, 3, 4, 5, 6, 0x17, 8, 0x89}, nil}, {"timestamp", moment, nil},
		{"date", moment.Truncate(24 * time.Hour), nil}, {"time", 3 * time.Hour, nil},
		{"duration", schema.Duration{Months: 1, Days: 2, Nanos: 3}, nil}, {"inet", netip.MustParseAddr("::1"), nil},
		{"list<int>", []int{3, 1}, []any{3, 1}}, {"set<text>", []string{"a", "b"}, []any{"a", "b"}},
		{"map<text, bigint>", map[string]int64{"x": 1}, map[any]any{"x": int64(1)}},
		{"frozen<map<int, frozen<list<text>>>>", map[int][]string{1: {"a"}}, map[any]any{1: []any{"a"}}},
		{"tuple<int, text>", []any{7, nil}, nil}, {"vector<float, 2>", []float32{1, 2}, []any{float32(1), float32(2)}},
		{"frozen<address>", map[string]any{"street": "s", "zip": 7}, nil}, {"address", map[string]any{"street": "s", "zip": nil}, nil},
		{"frozen<house>", map[string]any{"at": map[string]any{"street": "s", "zip": 1}, "n": 2}, nil},
	}
	inCluster(t, 1, func(t *testing.T, c *cluster) {
		s := c.connect(func(cfg *client.Config) { cfg.Keyspace = "ks" })
		defer s.Close()
		c.must(s, fmt.Sprintf(createKS, 1))
		c.must(s, "CREATE TYPE ks.address (street text, zip int)")
		c.must(s, "CREATE TYPE ks.house (at frozen<address>, n int)")
		cols, names, marks := "", "", ""
		args := []any{1}
		for i, v := range values {
			cols += fmt.Sprintf(", c%d %s", i, v.typ)
			names += fmt.Sprintf(", c%d", i)
			marks += ", ?"
			args = append(args, v.v)
		}
		c.must(s, "CREATE TABLE t (k int PRIMARY KEY"+cols+")")
		insert := "INSERT INTO t (k" + names + ") VALUES (?" + marks + ")"
		c.must(s, insert, args...)
		nulls := make([]any, len(args))
		nulls[0] = 2
		c.must(s, insert, nulls...)
		read := "SELECT " + strings.TrimPrefix(names, ", ") + " FROM t WHERE k = ?"
		for k, null := range []bool{false, true} {
			rows, err := s.Query(t.Context(), read, k+1)
			if err != nil || !rows.Next() {
				t.Fatal(err, rows)
			}
			got, err := rows.Values()
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				want := v.want
				if want == nil {
					want = v.v
				}
				if null {
					want = nil
				}
				if !reflect.DeepEqual(got[i], want) {
					t.Errorf("%s: %#v is not %#v", v.typ, got[i], want)
				}
				if rows.IsNull(i) != null {
					t.Errorf("%s: null is %v", v.typ, rows.IsNull(i))
				}
			}
		}
		// Unset leaves what is there.
		leave := make([]any, len(args))
		for i := range leave {
			leave[i] = client.Unset
		}
		leave[0] = 1
		c.must(s, insert, leave...)
		rows, err := s.Query(t.Context(), "SELECT c1 FROM t WHERE k = 1")
		if err != nil || !rows.Next() || rows.Text(0) != "äöü" {
			t.Fatal(err, rows)
		}
	})
}

// The typed methods bind and read the same as Bind and Scan.
func TestTypedMethods(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster) {
		s := c.connect()
		defer s.Close()
		c.must(s, fmt.Sprintf(createKS, 1))
		c.must(s, "CREATE TABLE ks.t (k bigint PRIMARY KEY, a tinyint, b smallint, c int, d float, e double, f boolean, g text, h blob, i uuid, j timestamp)")
		insert := c.prepare(s, "INSERT INTO ks.t (k, a, b, c, d, e, f, g, h, i, j) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
		u := [16]byte{9, 8, 7}
		q := insert.Query().Int(1).Int(-128).Int(300).Int(-70000).Float(1.5).Float(-2.5).Bool(true).Text("x").Bytes([]byte{1}).UUID(u).Int(1700000000123)
		if _, err := s.Execute(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		rows, err := s.Query(t.Context(), "SELECT a, b, c, d, e, f, g, h, i, j FROM ks.t WHERE k = 1")
		if err != nil || !rows.Next() {
			t.Fatal(err)
		}
		if rows.Int(0) != -128 || rows.Int(1) != 300 || rows.Int(2) != -70000 || rows.Float(3) != 1.5 || rows.Float(4) != -2.5 || !rows.Bool(5) ||
			rows.Text(6) != "x" || !bytes.Equal(rows.Bytes(7), []byte{1}) || rows.UUID(8) != u || rows.Int(9) != 1700000000123 {
			t.Fatal(rows.Values())
		}
		for name, bad := range map[string]*client.Query{
			"too few": insert.Query().Int(1), "range": insert.Query().Int(1).Int(128), "type": insert.Query().Text("x"),
			"boolean": insert.Query().Bool(true), "uuid": insert.Query().UUID(u), "float": insert.Query().Float(1), "bytes": insert.Query().Bytes(nil),
			"too many": c.prepare(s, "SELECT a FROM ks.t WHERE k = ?").Query().Int(1).Int(2), "go": insert.Query().Bind(struct{}{}),
		} {
			if _, err := s.Execute(t.Context(), bad); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}
