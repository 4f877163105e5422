package shell

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/ilion-db/ilion/cql"
)

// place is the part of a statement that an error speaks of, in bytes.
type place struct{ offset, length int }

var placePattern = regexp.MustCompile(`^line (\d+):(\d+) `)

// explain gives the lines that follow an error message: the line of the statement with the place underlined, and a hint.
func explain(statement string, err error) string {
	var se *ServerError
	if !errors.As(err, &se) || se.Code != codeSyntax && se.Code != codeInvalid {
		return ""
	}
	var b strings.Builder
	at, found := findPlace(statement, se)
	if found {
		b.WriteString(underline(statement, at))
	}
	if h := hint(statement, se, at, found); h != "" {
		fmt.Fprintf(&b, "Hint: %s\n", h)
	}
	return b.String()
}

// findPlace takes the place from our own parser for syntax errors, and for others looks for the first name that the message quotes.
func findPlace(statement string, se *ServerError) (place, bool) {
	if se.Code == codeSyntax {
		var own *cql.SyntaxError
		if _, err := cql.Parse(statement); errors.As(err, &own) {
			return place{own.Offset, own.Length}, true
		}
		if m := placePattern.FindStringSubmatch(se.Message); m != nil {
			return placeAt(statement, m[1], m[2])
		}
		return place{}, false
	}
	words := strings.FieldsFunc(se.Message, func(r rune) bool {
		return !(r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
	for _, w := range words {
		if commonWords[strings.ToLower(w)] {
			continue
		}
		if at, ok := findName(statement, w); ok {
			return at, true
		}
	}
	return place{}, false
}

// commonWords are words of messages that may be names of columns too.
var commonWords = map[string]bool{"name": true, "table": true, "column": true, "keyspace": true, "type": true, "value": true, "for": true,
	"a": true, "key": true, "the": true, "query": true, "id": true, "in": true, "of": true, "is": true, "not": true, "user": true}

func placeAt(statement, line, col string) (place, bool) {
	lx := cql.NewLexer(statement)
	for {
		t, err := lx.Next()
		if err != nil || t.Kind == cql.TokEOF {
			return place{}, false
		}
		if fmt.Sprint(t.Line) == line && fmt.Sprint(t.Col) == col {
			return place{int(t.Start), int(t.End - t.Start)}, true
		}
	}
}

// findName looks for a name or string of the statement; keywords do not count, messages are full of them.
func findName(statement, name string) (place, bool) {
	lx := cql.NewLexer(statement)
	for {
		t, err := lx.Next()
		if err != nil || t.Kind == cql.TokEOF {
			return place{}, false
		}
		text := t.Text(statement)
		switch t.Kind {
		case cql.TokIdent:
			if !strings.EqualFold(text, name) {
				continue
			}
		case cql.TokQuotedName, cql.TokString:
			if strings.Trim(text, `"'`) != name {
				continue
			}
		default:
			continue
		}
		return place{int(t.Start), len(text)}, true
	}
}

// maxMarkedLine is how much of a line is shown around the place.
const maxMarkedLine = 120

// underline shows the line that holds the place and marks it.
func underline(statement string, at place) string {
	offset := min(at.offset, len(statement))
	from := strings.LastIndexByte(statement[:offset], '\n') + 1
	to := len(statement)
	if n := strings.IndexByte(statement[offset:], '\n'); n >= 0 {
		to = offset + n
	}
	line := statement[from:to]
	before := []rune(statement[from:offset])
	length := max(1, len([]rune(statement[offset:min(offset+at.length, to)])))
	runes := []rune(line)
	if cut := len(before) - maxMarkedLine/2; cut > 0 && len(runes) > maxMarkedLine {
		runes, before = runes[cut:], before[cut:]
	}
	if len(runes) > maxMarkedLine {
		runes = runes[:maxMarkedLine]
	}
	length = max(1, min(length, len(runes)-len(before)))
	clean := func(r []rune) string { return strings.ReplaceAll(string(r), "\t", " ") }
	return fmt.Sprintf("    %s\n    %s%s\n", clean(runes), spaces(pad(clean(before))), strings.Repeat("^", length))
}

// advice pairs what a message and a statement look like with a sentence that helps. The first match wins; an empty pattern matches.
var advice = []struct{ message, statement, hint string }{
	{"", `(?i)^\s*(show|list)\s+(tables|databases|keyspaces|schemas)`, "use DESCRIBE TABLES or DESCRIBE KEYSPACES"},
	{"", `(?i)^\s*create\s+database`, "a database is called a keyspace here: CREATE KEYSPACE name WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"},
	{"", `(?i)^\s*create\s+keyspace\s+(if\s+not\s+exists\s+)?\w+\s*;?\s*$`, "a keyspace needs WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"},
	{`input 'OR'|input 'or'`, "", "CQL has no OR; use IN (...), or run one statement per alternative"},
	{"", `(?i)\bjoin\b`, "CQL has no joins; read the tables one after the other or keep one table per query"},
	{"", `(?i)\boffset\s+\d`, "CQL has no OFFSET; results are paged, see PAGING"},
	{`'>'`, `<>`, "not equal is written !="},
	{"", `(?i)\binsert\s+into\s+[\w."]+\s+values`, "INSERT names its columns: INSERT INTO t (a, b) VALUES (1, 2)"},
	{"", `(?i)\b(var)?char\s*\(\s*\d+\s*\)|\btext\s*\(\s*\d+`, "types take no length; write text"},
	{"", `(?i)\b(auto_increment|serial|autoincrement)\b`, "there are no automatic numbers; use uuid with uuid(), or timeuuid with now()"},
	{"expecting K_WHERE|expecting K_SET", `(?i)^\s*delete\s+from`, "DELETE needs WHERE with the partition key; to empty a table use TRUNCATE"},
	{"expecting K_WHERE", `(?i)^\s*update`, "UPDATE needs WHERE with the whole primary key"},
	{`input '-'`, "", "names with other signs than letters, digits and _ stand between double quotes"},
	{"(?i)no keyspace has been specified", "", "USE a keyspace first, or write keyspace.table"},
	{"(?i)allow filtering", "", "WHERE does not follow the primary key, so all rows would be read; add the key, an index, or ALLOW FILTERING"},
	{"(?i)unconfigured table|table .* does not exist", "", "DESCRIBE TABLES lists the tables"},
	{"(?i)keyspace .* does not exist", "", "DESCRIBE KEYSPACES lists the keyspaces"},
	{"(?i)replication factor|replication_factor", "", "replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"},
}

func hint(statement string, se *ServerError, at place, found bool) string {
	if found {
		word := statement[min(at.offset, len(statement)):min(at.offset+at.length, len(statement))]
		switch {
		case se.Code == codeSyntax && len(word) > 1 && word[0] == '"' && takesValue(statement[:at.offset]):
			return "strings take single quotes: " + cql.QuoteString(strings.ReplaceAll(word[1:len(word)-1], `""`, `"`))
		case strings.Contains(se.Message, "mismatched character '<EOF>'"):
			return "this quote or comment is never closed"
		case se.Code == codeSyntax && cql.IsReserved(strings.ToLower(word)) && takesName(statement[:at.offset]):
			return word + ` is a reserved word; as a name it is written "` + strings.ToLower(word) + `"`
		}
	}
	for _, a := range advice {
		if a.message != "" && !regexp.MustCompile(a.message).MatchString(se.Message) {
			continue
		}
		if a.statement != "" && !regexp.MustCompile(a.statement).MatchString(statement) {
			continue
		}
		return a.hint
	}
	return ""
}

// takesValue reports whether what follows before is a value: it ends with an operator, a bracket or a comma.
func takesValue(before string) bool {
	before = strings.TrimSpace(before)
	return before != "" && strings.ContainsRune("=<>(,[{:+", rune(before[len(before)-1]))
}

// takesName reports whether a name is due after before.
func takesName(before string) bool {
	return regexp.MustCompile(`(?i)(\b(table|keyspace|from|into|update|use|exists|type|index|add|drop|select)|[(,.])\s*$`).MatchString(before)
}
