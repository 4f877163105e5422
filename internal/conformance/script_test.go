package conformance

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// statement is one of a script.
type statement struct {
	script string
	text   string // without the semicolon
	binds  []string
	page   int
	mask   []string
	repeat int // which one of equal statements of the script it is, from 1
}

// heading is what names the statement in goldens and exceptions.
func (s *statement) heading() string {
	var b strings.Builder
	for line := range strings.SplitSeq(s.text, "\n") {
		b.WriteString("> " + line + "\n")
	}
	return b.String()
}

// key names the statement among all.
func (s *statement) key() string {
	key := s.script
	if s.repeat > 1 {
		key += " " + strconv.Itoa(s.repeat)
	}
	return key + "\n" + s.heading()
}

// scripts are the names of all, without .cql.
func scripts(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.cql")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(p), ".cql")
	}
	return paths
}

// readScript parses testdata/NAME.cql.
func readScript(t *testing.T, name string) []*statement {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".cql")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var (
		all   []*statement
		lines []string
		next  = &statement{script: name}
		seen  = map[string]int{}
	)
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := in.Text()
		if len(lines) == 0 && (line == "" || strings.HasPrefix(line, "-- ")) {
			next.directive(t, line)
			continue
		}
		lines = append(lines, line)
		if text, ends := strings.CutSuffix(line, ";"); ends {
			lines[len(lines)-1] = text
			next.text = strings.Join(lines, "\n")
			seen[next.text]++
			next.repeat = seen[next.text]
			all = append(all, next)
			lines, next = nil, &statement{script: name}
		}
	}
	if err := in.Err(); err != nil || len(lines) > 0 {
		t.Fatalf("%s ends within a statement: %q %v", name, lines, err)
	}
	return all
}

// directive takes a comment line before a statement.
func (s *statement) directive(t *testing.T, line string) {
	word, rest, _ := strings.Cut(strings.TrimPrefix(line, "-- "), " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "bind:":
		s.binds = append(s.binds, rest)
	case "page:":
		n, err := strconv.Atoi(rest)
		if err != nil {
			t.Fatal(err)
		}
		s.page = n
	case "mask:":
		for c := range strings.SplitSeq(rest, ", ") {
			s.mask = append(s.mask, c)
		}
	}
}

// splitValues splits a bind line at commas outside of quotes.
func splitValues(line string) (values []string) {
	if line == "" {
		return nil
	}
	start, quoted := 0, false
	for i, c := range line {
		switch {
		case c == '\'':
			quoted = !quoted
		case c == ',' && !quoted:
			values = append(values, strings.TrimSpace(line[start:i]))
			start = i + 1
		}
	}
	return append(values, strings.TrimSpace(line[start:]))
}

// answers maps the statements of a golden, with their repeats, to answers.
type answers map[string]string

// parseAnswers reads blocks of "> statement" lines with answers below them.
func parseAnswers(script, text string) answers {
	a, seen := answers{}, map[string]int{}
	var s *statement
	var asked, answer []string
	flush := func() {
		if asked == nil {
			return
		}
		s = &statement{script: script, text: strings.Join(asked, "\n")}
		seen[s.text]++
		s.repeat = seen[s.text]
		a[s.key()] = strings.TrimRight(strings.Join(answer, "\n"), "\n") + "\n"
		asked, answer = nil, nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		if q, ok := strings.CutPrefix(line, "> "); ok {
			if len(answer) > 0 {
				flush()
			}
			asked = append(asked, q)
		} else if asked != nil {
			answer = append(answer, line)
		}
	}
	flush()
	return a
}
