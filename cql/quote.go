package cql

import "strings"

// Quote gives name as it must be written in CQL: as it is when it is a lower-case identifier and no reserved word, else between
// double quotes with inner ones doubled.
func Quote(name string) string {
	if bareName(name) && !IsReserved(name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// quoteWhere is Quote for a place where a bare keyword is a name only if may tells so.
func quoteWhere(name string, may func(TokenKind) bool) string {
	if k, ok := keywordKinds[name]; ok && !may(k) {
		return `"` + name + `"`
	}
	return Quote(name)
}

// QuoteString gives s as a CQL string literal.
func QuoteString(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func bareName(s string) bool {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}
