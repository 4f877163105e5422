package cql

import (
	"strings"
	"testing"
)

func addSeeds(f *testing.F) {
	for _, name := range []string{"select", "modify", "ddl", "admin", "errors"} {
		for _, in := range readInputs(f, name) {
			f.Add(in)
		}
	}
	f.Add("'")
	f.Add("$$")
	f.Add("-")
	f.Add("1.")
	f.Add("P")
	f.Add("(((((((")
	f.Add("SELECT {{{{")
}

// FuzzLexer checks that tokens cover the text in order and that the end comes.
func FuzzLexer(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		lx := NewLexer(text)
		lx.KeepHidden = true
		end := int32(0)
		for range len(text) + 1 {
			tok, err := lx.Next()
			if err != nil {
				return
			}
			if tok.Start != end {
				t.Fatalf("token starts at %d, the one before ended at %d", tok.Start, end)
			}
			if tok.Kind == TokEOF {
				if int(end) != len(text) {
					t.Fatalf("end at %d of %d", end, len(text))
				}
				return
			}
			if tok.End <= tok.Start {
				t.Fatalf("empty token at %d", tok.Start)
			}
			end = tok.End
		}
		t.Fatal("no end")
	})
}

// TestSignTakenAsOperator has numbers whose sign the lexer took for a part of them.
func TestSignTakenAsOperator(t *testing.T) {
	for text, want := range map[string]string{
		"a -1": "a - 1", "a -1h": "a - 1h", "a -nan": "a - NaN", "a -infinity": "a - Infinity", "-infinity": "-Infinity", "-nan": "-NaN",
	} {
		s, err := Parse("SELECT " + text + " FROM t")
		if err != nil {
			t.Fatal(err)
		}
		if got := s.(*Select).Selectors[0].Expr.String(); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}

// TestKeywordsAsNames has names that are keywords, quoted where a bare one would be something else.
func TestKeywordsAsNames(t *testing.T) {
	for _, text := range []string{
		`"ttl"(a)`, `ks."ttl"(a)`, `"cast"(a)`, `"key"(a)`, `"json"(a)`, `"select"(a)`, `ttl.f(a)`, `"select".f(a)`, `list(a)`, `int(a)`, `count(a)`,
		`token(a)`, `ks."token"(a)`, `(list)a`, `(key)a`, `("ttl")a`, `(ks."ttl")a`, `("int")a`, `(ks."int")a`, `("byte")a`, `(ttl.u)a`, `(int)"as"`,
		`as + ttl`,
	} {
		s, err := Parse("SELECT 1, " + text + " FROM t")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := s.(*Select).Selectors[1].Expr.String(); got != text {
			t.Errorf("%s became %s", text, got)
		}
	}
}

// FuzzParse checks that nothing panics, that errors point into the text, and that what parses has a sound list of markers.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	for _, s := range []string{
		"SELECT m[((1)) + 2], m[- ((1))], (1).a, 1. .a, a -nan, a -infinity, a - -infinity FROM t",
		"SELECT a, json * 2, distinct * 2 FROM t",
		`SELECT "ttl"(a), ks."cast"(a), ("ttl")a, (ks."count")a, ("byte")a, (int)"as" FROM t`,
		"SELECT " + strings.Repeat("- ", MaxNesting-1) + "a FROM t",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			e := err.(*SyntaxError)
			if e.Offset < 0 || e.Offset+e.Length > len(text) || e.Msg == "" {
				t.Fatalf("%+v points out of %d bytes", e, len(text))
			}
			return
		}
		for i, m := range s.Markers() {
			if m.Index != i {
				t.Fatalf("marker %d says %d", i, m.Index)
			}
		}
		done, _, _ := Split(text)
		for _, p := range done {
			if text[p.Offset:p.Offset+len(p.Text)] != p.Text {
				t.Fatalf("piece %q is not at %d", p.Text, p.Offset)
			}
		}
		sel, ok := s.(*Select)
		if !ok {
			return
		}
		for _, x := range sel.Selectors {
			_ = ResultName(x.Expr, nil)
			// In the first place JSON and DISTINCT are no columns.
			again, err := Parse("SELECT 1, " + x.Expr.String() + " FROM t")
			if err != nil {
				t.Fatalf("%s does not parse again: %v", x.Expr, err)
			}
			if got := again.(*Select).Selectors[1].Expr.String(); got != x.Expr.String() {
				t.Fatalf("%s became %s", x.Expr, got)
			}
		}
	})
}
