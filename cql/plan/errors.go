package plan

import (
	"strings"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// Words that test suites and tools match to the letter.
const (
	msgAllowFiltering = "Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. " +
		"If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING"
	msgNoKeyspace = "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename"
)

func invalid(format string, args ...any) error { return native.Invalid(format, args...) }

func unsupported(feature string) error { return native.Invalid("%s is not supported yet", feature) }

func errUndefinedColumn(name string, t *schema.Table) error {
	return invalid("Undefined column name %s in table %s", schema.QuoteName(name), tableName(t))
}

func tableName(t *schema.Table) string {
	return schema.QuoteName(t.Keyspace) + "." + schema.QuoteName(t.Name)
}

func columnNames(cols []*schema.Column) string {
	var b strings.Builder
	for i, c := range cols {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(schema.QuoteName(c.Name))
	}
	return b.String()
}
