package shell

import (
	"context"
	"slices"
	"strings"

	"github.com/ilion-db/ilion/cql"
)

// maxNames bounds the names that completion keeps.
const maxNames = 100_000

// names caches the schema for completion: columns by table by keyspace.
type names struct {
	loaded bool
	tables map[string]map[string][]string
}

// forget drops the names when a statement may have changed them.
func (n *names) forget(s cql.Statement) {
	switch s.(type) {
	case *cql.Select, *cql.Insert, *cql.Update, *cql.Delete, *cql.Batch, *cql.Describe, *cql.Truncate:
	default:
		*n = names{}
	}
}

// loadNames reads the names of keyspaces, tables and columns; an error leaves completion with what it has.
func (sh *shell) loadNames(ctx context.Context) {
	if sh.names.loaded {
		return
	}
	sh.names = names{loaded: true, tables: map[string]map[string][]string{}}
	count := 0
	sh.eachRow(ctx, "SELECT keyspace_name FROM system_schema.keyspaces", func(r [][]byte) { sh.names.keyspace(string(r[0])) })
	for _, schema := range []string{"system_schema", "system_virtual_schema"} {
		sh.eachRow(ctx, "SELECT keyspace_name, table_name, column_name FROM "+schema+".columns", func(r [][]byte) {
			if count++; count < maxNames {
				t := sh.names.keyspace(string(r[0]))
				t[string(r[1])] = append(t[string(r[1])], string(r[2]))
			}
		})
	}
}

func (n *names) keyspace(ks string) map[string][]string {
	if n.tables[ks] == nil {
		n.tables[ks] = map[string][]string{}
	}
	return n.tables[ks]
}

func (sh *shell) eachRow(ctx context.Context, statement string, f func([][]byte)) {
	req := Request{Statement: statement, Consistency: "ONE", PageSize: 1000}
	for {
		res, err := sh.execute(ctx, req)
		if err != nil {
			return
		}
		for _, r := range res.Rows {
			f(r)
		}
		if len(res.PageState) == 0 {
			return
		}
		req.PageState = res.PageState
	}
}

// candidates gives what may stand at the end of line, sorted, and the part of the last word that they continue.
func (sh *shell) candidates(ctx context.Context, line string) (list []string, prefix string) {
	toks, prefix, quoted := lastWords(line)
	if quoted {
		return nil, prefix
	}
	sh.loadNames(ctx)
	last, before := "", ""
	if n := len(toks); n > 0 {
		last = strings.ToUpper(toks[n-1])
		if n > 1 {
			before = strings.ToUpper(toks[n-2])
		}
	}
	switch {
	case len(toks) == 0:
		list = append(slices.Clone(commands), starters...)
	case last == "." && len(toks) > 1:
		list = sh.names.after(unquote(toks[len(toks)-2]))
	case last == "USE" || last == "KEYSPACE" && before != "CREATE":
		list = sh.names.keyspaces()
	case last == "FROM" || last == "INTO" || last == "UPDATE" || last == "TRUNCATE" || last == "TABLE" && before != "CREATE":
		list = append(sh.names.keyspaces(), sh.names.after(sh.keyspace)...)
	case last == "CONSISTENCY":
		list = slices.Clone(consistencies)
	default:
		list = append(sh.names.columns(toks, sh.keyspace), cql.Keywords()...)
	}
	return matching(list, prefix), prefix
}

// starters are the words that a statement begins with.
var starters = []string{"SELECT", "INSERT INTO", "UPDATE", "DELETE", "BEGIN BATCH", "CREATE", "ALTER", "DROP", "USE", "TRUNCATE",
	"GRANT", "REVOKE", "LIST", "DESCRIBE"}

// lastWords cuts the statement that line ends in into words; the one that the cursor stands on is the prefix. quoted tells that
// the line ends inside of a string.
func lastWords(line string) (toks []string, prefix string, quoted bool) {
	_, rest, open := cql.Split(line)
	if open && !strings.HasSuffix(rest.Text, `"`) {
		return nil, "", true
	}
	lx := cql.NewLexer(rest.Text)
	for {
		t, err := lx.Next()
		if err != nil {
			return toks, "", true
		}
		if t.Kind == cql.TokEOF {
			return toks, "", false
		}
		text := t.Text(rest.Text)
		word := t.Kind == cql.TokIdent || t.IsKeyword()
		if word && int(t.End) == len(rest.Text) && strings.HasSuffix(line, text) {
			return toks, text, false
		}
		toks = append(toks, text)
	}
}

func unquote(name string) string {
	if strings.HasPrefix(name, `"`) {
		return strings.ReplaceAll(strings.Trim(name, `"`), `""`, `"`)
	}
	return strings.ToLower(name)
}

func (n *names) keyspaces() []string {
	var list []string
	for ks := range n.tables {
		list = append(list, cql.Quote(ks))
	}
	return list
}

// after gives the tables of a keyspace.
func (n *names) after(ks string) []string {
	var list []string
	for t := range n.tables[ks] {
		list = append(list, cql.Quote(t))
	}
	return list
}

// columns gives the columns of the tables that the words name behind FROM, INTO and UPDATE.
func (n *names) columns(toks []string, keyspace string) []string {
	var list []string
	for i, t := range toks {
		switch strings.ToUpper(t) {
		case "FROM", "INTO", "UPDATE":
		default:
			continue
		}
		ks, table := keyspace, ""
		if i+1 < len(toks) {
			table = unquote(toks[i+1])
		}
		if i+3 < len(toks) && toks[i+2] == "." {
			ks, table = table, unquote(toks[i+3])
		}
		for _, c := range n.tables[ks][table] {
			list = append(list, cql.Quote(c))
		}
	}
	return list
}

// matching keeps what begins with prefix, whatever the case; keywords follow the case of the prefix.
func matching(list []string, prefix string) []string {
	var found []string
	low := strings.ToLower(prefix)
	for _, s := range list {
		if !strings.HasPrefix(strings.ToLower(s), low) {
			continue
		}
		if prefix != "" && prefix == low && s == strings.ToUpper(s) {
			s = strings.ToLower(s)
		}
		found = append(found, s)
	}
	slices.Sort(found)
	return slices.Compact(found)
}
