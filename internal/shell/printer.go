package shell

import (
	"fmt"
	"strings"

	"github.com/ilion-db/ilion/cql"
)

// printer shows the pages of one result.
type printer struct {
	sh       *shell
	tree     cql.Statement // nil when our parser did not understand the statement
	describe *cql.Describe // set when the result is to be shown as DESCRIBE does
	rows     int           // printed so far
	pages    int
	described
}

// described collects the names that DESCRIBE TABLES and the like list.
type described struct {
	keyspace string
	names    []string
	any      bool
}

// counted reports whether "(n rows)" follows: after what reads, not after a conditional write.
func (p *printer) counted() bool {
	switch p.tree.(type) {
	case *cql.Insert, *cql.Update, *cql.Delete, *cql.Batch:
		return false
	}
	return true
}

// pauses reports whether the user is asked before the next page.
func (p *printer) pauses() bool {
	return p.sh.terminal && p.sh.cfg.Format == FormatTable && p.describe == nil
}

func (p *printer) begin() {
	if p.sh.cfg.Format == FormatTable && p.describe == nil {
		fmt.Fprintln(p.sh.out)
	}
}

func (p *printer) page(res *Result) error {
	w := p.sh.out
	first := p.pages == 0
	p.pages++
	switch {
	case p.sh.cfg.Format == FormatJSON:
		for _, row := range res.Rows {
			if _, err := fmt.Fprintln(w, rowJSON(res.Columns, row)); err != nil {
				return err
			}
		}
	case p.sh.cfg.Format == FormatCSV:
		return writeCSV(w, res, first)
	case p.describe != nil:
		p.describePage(res)
	case len(res.Rows) == 0 && !first:
	default:
		p.table(res, first)
	}
	p.rows += len(res.Rows)
	return nil
}

func (p *printer) table(res *Result, first bool) {
	g := newGrid(res, p.sh.terminal)
	switch {
	case p.sh.expand && len(res.Rows) > 0:
		g.writeVertical(p.sh.out, p.rows)
	default:
		g.writeTable(p.sh.out, first || p.sh.terminal)
		if p.sh.terminal || len(res.Rows) == 0 {
			fmt.Fprintln(p.sh.out)
		}
	}
}

func (p *printer) end() {
	w := p.sh.out
	switch {
	case p.sh.cfg.Format != FormatTable:
	case p.describe != nil:
		p.describeEnd()
	case p.counted():
		if !p.sh.terminal {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "(%d rows)\n", p.rows)
	}
}

// describePage shows rows of DESCRIBE: definitions as they are, names in columns, the cluster as a list.
func (p *printer) describePage(res *Result) {
	at := map[string]int{}
	for i, c := range res.Columns {
		at[c.Name] = i
	}
	for _, row := range res.Rows {
		get := func(name string) string {
			if i, ok := at[name]; ok {
				return valueBare(&res.Columns[i].Type, row[i])
			}
			return ""
		}
		_, definition := at["create_statement"]
		switch {
		case definition:
			fmt.Fprintf(p.sh.out, "\n%s\n", get("create_statement"))
		case p.describe.Kind == cql.DescCluster:
			fmt.Fprintf(p.sh.out, "\nCluster: %s\nPartitioner: %s\nSnitch: %s\n\n", get("cluster"), get("partitioner"), get("snitch"))
			if owners := get("range_ownership"); owners != "" {
				fmt.Fprintf(p.sh.out, "Range ownership:\n %s\n\n", owners)
			}
		case p.describe.Kind == cql.DescKeyspaces:
			p.names = append(p.names, cql.Quote(get("keyspace_name")))
		default:
			if ks := get("keyspace_name"); ks != p.keyspace || !p.any {
				p.flushNames()
				p.keyspace, p.any = ks, true
			}
			p.names = append(p.names, get("name"))
		}
	}
}

// valueBare is the value without the escapes that keep a table's row on one line.
func valueBare(t *Type, raw []byte) string {
	if t.Kind == KindText || t.Kind == KindASCII {
		return string(raw)
	}
	return valueText(t, raw)
}

func (p *printer) flushNames() {
	if !p.any {
		return
	}
	fmt.Fprintln(p.sh.out)
	if p.sh.keyspace == "" {
		fmt.Fprintf(p.sh.out, "Keyspace %s\n---------%s\n", p.keyspace, strings.Repeat("-", len(p.keyspace)))
	}
	columnize(p.sh.out, p.names)
	p.names = nil
}

func (p *printer) describeEnd() {
	switch {
	case p.describe.Kind == cql.DescKeyspaces:
		fmt.Fprintln(p.sh.out)
		columnize(p.sh.out, p.names)
		fmt.Fprintln(p.sh.out)
	case p.any:
		p.flushNames()
		fmt.Fprintln(p.sh.out)
	}
}
