package exec_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/schema"
)

// The conditions of a query must select the same rows whether they become keys
// and ranges of bytes or are compared with each row by the types: a table that
// is said to be virtual filters.

// constants are values of a type, some of them equal or next to each other.
var constants = map[string][]string{
	"int":               {"-5", "-1", "0", "1", "2", "100000"},
	"text":              {"''", "'a'", "'aa'", "'b'", "'é'"},
	"decimal":           {"-1.5", "-1.50", "0", "0.00", "1", "1e2", "100"},
	"double":            {"-1.0", "0.0", "1.5", "NaN", "Infinity"},
	"blob":              {"0x", "0x00", "0x0000", "0x00ff", "0xff"},
	"varint":            {"-12345678901234567890", "-1", "0", "255", "256"},
	"boolean":           {"true", "false"},
	"frozen<list<int>>": {"[]", "[1]", "[1, 2]", "[-1]"},
}

type property struct {
	*db
	r     *rand.Rand
	types []string
}

func newProperty(t *testing.T, seed uint64) *property {
	p := &property{db: newDB(t), r: rand.New(rand.NewPCG(seed, 0))}
	var names []string
	for n := range constants {
		names = append(names, n)
	}
	slices.Sort(names)
	cols, order := "", []string{}
	for i := range 3 {
		typ := names[p.r.IntN(len(names))]
		p.types = append(p.types, typ)
		cols += fmt.Sprintf("c%d %s, ", i, typ)
		order = append(order, fmt.Sprintf("c%d %s", i, p.pick("ASC", "DESC")))
	}
	p.run("CREATE TABLE t (k int, " + cols + "v int, PRIMARY KEY (k, c0, c1, c2)) WITH CLUSTERING ORDER BY (" + strings.Join(order, ", ") + ")")
	for range 60 {
		row := []string{p.constant(0), p.constant(1), p.constant(2)}
		p.run(fmt.Sprintf("INSERT INTO t (k, c0, c1, c2, v) VALUES (%d, %s, 1)", p.r.IntN(3), strings.Join(row, ", ")))
	}
	return p
}

func (p *property) pick(of ...string) string { return of[p.r.IntN(len(of))] }

func (p *property) constant(i int) string { return p.pick(constants[p.types[i]]...) }

func (p *property) tuple(n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, p.constant(i))
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// where makes a condition on the clustering columns that needs no filtering.
func (p *property) where() string {
	var out []string
	if p.r.IntN(3) == 0 {
		n := 1 + p.r.IntN(3)
		left := "(" + strings.Join([]string{"c0", "c1", "c2"}[:n], ", ") + ") "
		if p.r.IntN(3) == 0 {
			return left + "IN (" + p.tuple(n) + ", " + p.tuple(n) + ")"
		}
		out = append(out, left+p.pick(">", ">=")+" "+p.tuple(n))
		if p.r.IntN(2) == 0 {
			m := 1 + p.r.IntN(3)
			out = append(out, "("+strings.Join([]string{"c0", "c1", "c2"}[:m], ", ")+") "+p.pick("<", "<=")+" "+p.tuple(m))
		}
		return strings.Join(out, " AND ")
	}
	for i := range p.r.IntN(4) {
		c := fmt.Sprintf("c%d ", i)
		switch p.r.IntN(4) {
		case 0, 1:
			out = append(out, c+"= "+p.constant(i))
		case 2:
			out = append(out, c+"IN ("+p.constant(i)+", "+p.constant(i)+", "+p.constant(i)+")")
		default:
			out = append(out, c+p.pick(">", ">=")+" "+p.constant(i))
			if p.r.IntN(2) == 0 {
				out = append(out, c+p.pick("<", "<=")+" "+p.constant(i))
			}
			return strings.Join(out, " AND ")
		}
	}
	return strings.Join(out, " AND ")
}

// filtered runs the query over all rows as if the table were virtual.
func (p *property) filtered(text string) string {
	full, err := p.compile("SELECT * FROM t")
	if err != nil {
		p.t.Fatal(err)
	}
	if err := full.Select.Bind(p.query, nil, p.options()); err != nil {
		p.t.Fatal(err)
	}
	body, res, err := p.reader.Page(p.query, p.source(&p.query.Command), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	var rows [][][]byte
	c := exec.NewCursor(body, res.Rows, len(full.Result.Columns()))
	for v, ok := c.Next(); ok; v, ok = c.Next() {
		rows = append(rows, slices.Clone(v))
	}
	real := p.snap
	defer func() { p.snap = real }()
	tb := *real.Table("ks", "t")
	tb.Virtual = true
	tb.Init()
	p.snap = &schema.Snapshot{Keyspaces: map[string]*schema.Keyspace{"ks": {Name: "ks", Tables: map[string]*schema.Table{"t": &tb}}}}
	virtual, err := p.compile(text)
	if err != nil {
		p.t.Fatalf("%s: %v", text, err)
	}
	if err := virtual.Select.Bind(p.query, nil, p.options()); err != nil {
		p.t.Fatal(err)
	}
	body, res, err = p.reader.PageVirtual(p.query, &exec.SliceSource{Rows: rows}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Join(p.format(virtual, body, res.Rows), "\n")
}

func TestRangesSelectWhatFiltersDo(t *testing.T) {
	for seed := range uint64(20) {
		p := newProperty(t, seed)
		for range 40 {
			text := "SELECT * FROM t WHERE k IN (0, 2)"
			if w := p.where(); w != "" {
				text += " AND " + w
			}
			p.page = 0
			want := p.filtered(text)
			for p.page = range int32(3) {
				if got := p.run(text); got != want {
					t.Fatalf("seed %d, %v: %s\ngot:\n%s\nwant:\n%s", seed, p.types, text, got, want)
				}
			}
			p.page = 0
			text = strings.Replace(text, "k IN (0, 2)", "k = 2", 1)
			want = p.filtered(text)
			got := strings.Split(p.run(text+" ORDER BY c0 "+p.reverse()), "\n")
			slices.Reverse(got)
			if strings.Join(got, "\n") != want {
				t.Fatalf("seed %d, %v, reversed: %s\ngot:\n%s\nwant:\n%s", seed, p.types, text, got, want)
			}
		}
	}
}

func (p *property) reverse() string {
	if p.snap.Table("ks", "t").Clustering[0].Desc {
		return "ASC"
	}
	return "DESC"
}
