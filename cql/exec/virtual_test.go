package exec_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/schema"
)

// virtual is a database with one virtual table of settings.
func virtual(t *testing.T) *db {
	d := newDB(t)
	tb := &schema.Table{Keyspace: "views", Name: "settings", Virtual: true, NextColumnID: 5,
		PartitionKey: []*schema.Column{{ID: 1, Name: "node", Kind: schema.PartitionKey, Type: schema.TypeText}},
		Clustering:   []*schema.Column{{ID: 2, Name: "id", Kind: schema.Clustering, Type: schema.TypeInt}},
		Regular: []*schema.Column{{ID: 3, Name: "tags", Kind: schema.Regular, Position: -1, Type: schema.SetOf(schema.TypeText, false)},
			{ID: 4, Name: "value", Kind: schema.Regular, Position: -1, Type: schema.TypeText}}}
	tb.Init()
	d.snap.Keyspaces["views"] = &schema.Keyspace{Name: "views", Virtual: true, Tables: map[string]*schema.Table{"settings": tb}}
	return d
}

func (d *db) virtualRows(text string) string {
	d.t.Helper()
	p, err := d.compile(text)
	if err != nil {
		d.t.Fatalf("%s: %v", text, err)
	}
	var rows [][][]byte
	tags := schema.SetOf(schema.TypeText, false).AppendElements(nil, [][]byte{[]byte("a"), []byte("b")})
	for _, node := range []string{"n1", "n2"} {
		for i := range uint32(3) {
			rows = append(rows, [][]byte{[]byte(node), binary.BigEndian.AppendUint32(nil, i), tags, []byte("v" + string('0'+rune(i)))})
		}
	}
	var out []string
	var state []byte
	for {
		if err := p.Select.Bind(d.query, nil, d.options()); err != nil {
			d.t.Fatal(err)
		}
		if err := d.reader.Resume(d.query, state); err != nil {
			d.t.Fatal(err)
		}
		body, res, err := d.reader.PageVirtual(d.query, &exec.SliceSource{Rows: rows}, nil)
		if err != nil {
			d.t.Fatal(err)
		}
		out = append(out, d.format(p, body, res.Rows)...)
		if res.PagingState == nil {
			return strings.Join(out, "\n")
		}
		state = slices.Clone(res.PagingState)
	}
}

func TestVirtual(t *testing.T) {
	d := virtual(t)
	for _, c := range [][2]string{
		{"SELECT id, value FROM views.settings WHERE node = 'n2'", "0 | 'v0'\n1 | 'v1'\n2 | 'v2'"},
		{"SELECT * FROM views.settings WHERE id > 1", "'n1' | 2 | {'a', 'b'} | 'v2'\n'n2' | 2 | {'a', 'b'} | 'v2'"},
		{"SELECT node FROM views.settings WHERE value = 'v0' AND tags CONTAINS 'b'", "'n1'\n'n2'"},
		{"SELECT node FROM views.settings WHERE value IN ('v0')", "'n1'\n'n2'"},
		{"SELECT DISTINCT node FROM views.settings", "'n1'\n'n2'"},
		{"SELECT node, id FROM views.settings PER PARTITION LIMIT 1", "'n1' | 0\n'n2' | 0"},
		{"SELECT node, id FROM views.settings WHERE node = 'n1' ORDER BY id DESC LIMIT 2", "'n1' | 2\n'n1' | 1"},
		{"SELECT count(*) FROM views.settings", "6"},
		{"SELECT node, id FROM views.settings WHERE node IN ('n2', 'n1') AND id = 2", "'n1' | 2\n'n2' | 2"},
		{"SELECT id FROM views.settings LIMIT 5", "0\n1\n2\n0\n1"},
	} {
		for d.page = range int32(8) {
			if got := d.virtualRows(c[0]); got != c[1] {
				t.Errorf("%s: pages of %d:\n%s\nwant:\n%s", c[0], d.page, got, c[1])
			}
		}
	}
	if n := len(strings.Split(d.virtualRows("SELECT id FROM views.settings WHERE token(node) > -9223372036854775807"), "\n")); n != 6 {
		t.Errorf("%d rows of a token range", n)
	}
	d.fails("INSERT INTO views.settings (node, id) VALUES ('n1', 1)", "Modification is not supported by table views.settings")
	d.fails("TRUNCATE views.settings", "Truncation is not supported by table views.settings")
}
