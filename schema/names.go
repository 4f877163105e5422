package schema

import "strings"

// MaxNameLen is the longest name of a keyspace in characters, MaxTableNameLen
// that of a table.
const (
	MaxNameLen      = 48
	MaxTableNameLen = 222
)

// reserved are the words that cannot be names without quotes.
var reserved = map[string]bool{}

func init() {
	for _, w := range strings.Fields(`add allow alter and apply asc authorize batch begin by columnfamily create
		default delete desc describe drop entries execute from full grant if in index infinity insert into is keyspace
		limit materialized mbean mbeans modify nan norecursive not null of on or order primary rename replace revoke
		schema select set table to token truncate unlogged unset update use using view where with`) {
		reserved[w] = true
	}
}

// QuoteName returns a name as CQL must spell it: itself if it is a plain lower
// case word that is not reserved, else in double quotes.
func QuoteName(name string) string {
	plain := name != "" && !reserved[name]
	for i := 0; plain && i < len(name); i++ {
		c := name[i]
		plain = c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '_')
	}
	if plain {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// ValidName tells whether a keyspace or table may have the name: word
// characters only.
func ValidName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' {
			continue
		}
		return false
	}
	return name != ""
}

// QuoteText returns s as a CQL string constant.
func QuoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
