package cql

import (
	"strings"
	"testing"
)

func TestLimits(t *testing.T) {
	deep := func(open, inner, end string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	cases := []struct{ name, text, want string }{
		{"text", "SELECT * FROM t " + strings.Repeat(" ", MaxTextBytes), "over the limit"},
		{"tokens", "SELECT * FROM t WHERE a IN (" + strings.Repeat("1,", MaxTokens) + "1)", "words and signs"},
		{"tuple", "SELECT * FROM t WHERE a = " + deep("(", "1", ")", 33), "levels deep"},
		{"list", "SELECT * FROM t WHERE a = " + deep("[", "1", "]", 33), "levels deep"},
		{"function", "SELECT " + deep("f(", "1", ")", 33) + " FROM t", "levels deep"},
		{"type", "CREATE TABLE t (a " + deep("list<", "int", ">", 33) + ")", "levels deep"},
		{"frozen", "CREATE TABLE t (a " + deep("frozen<", "int", ">", 33) + ")", "levels deep"},
		{"negation", "SELECT " + strings.Repeat("- ", 33) + "a FROM t", "levels deep"},
		{"hint", "SELECT " + strings.Repeat("(int)", 5000) + "a FROM t", "levels deep"},
		{"relation", "SELECT * FROM t WHERE " + deep("(", "a = 1", ")", 33), "levels deep"},
		{"operators", "SELECT a" + strings.Repeat("+1", 2000) + " FROM t", "operators"},
		{"fields", "SELECT a" + strings.Repeat(".a", 2000) + " FROM t", "operators"},
	}
	for _, c := range cases {
		_, err := Parse(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err != nil && len(err.Error()) > 2*maxExcerptBytes+256 {
			t.Errorf("%s: message of %d bytes", c.name, len(err.Error()))
		}
	}
	if _, err := Parse("SELECT * FROM t WHERE a = " + deep("[", "1", "]", 31)); err != nil {
		t.Errorf("31 levels: %v", err)
	}
}

// The token limit is below twice the marker limit, so the marker limit is tested on the parser itself.
func TestMarkerLimit(t *testing.T) {
	p, err := newParser("? ?")
	if err != nil {
		t.Fatal(err)
	}
	defer p.release()
	p.markers = make([]*BindMarker, MaxMarkers)
	p.marker()
	if p.err == nil || !strings.Contains(p.err.Error(), "65536 markers exceed") {
		t.Fatal(p.err)
	}
}

func TestMarkers(t *testing.T) {
	s, err := Parse("UPDATE t USING TTL ? SET a = :x, b = :X WHERE k = :\"X\" AND c IN ?")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range s.Markers() {
		names = append(names, m.String())
	}
	if got := strings.Join(names, " "); got != `? :x :x :"X" ?` {
		t.Fatal(got)
	}
}

func TestPositions(t *testing.T) {
	s, err := Parse("SELECT a,\n  f(b) FROM t\nWHERE k = ?")
	if err != nil {
		t.Fatal(err)
	}
	sel := s.(*Select)
	for _, c := range []struct {
		got  Pos
		want Pos
	}{
		{sel.Pos(), Pos{1, 0, 0}},
		{sel.Selectors[1].Expr.Pos(), Pos{2, 2, 12}},
		{sel.From.Pos, Pos{2, 12, 22}},
		{sel.Where[0].Position, Pos{3, 6, 30}},
		{sel.Where[0].OpPos, Pos{3, 8, 32}},
		{sel.Where[0].Value.Pos(), Pos{3, 10, 34}},
	} {
		if c.got != c.want {
			t.Errorf("%+v, want %+v", c.got, c.want)
		}
	}
}

func TestResultName(t *testing.T) {
	for in, want := range map[string]string{
		`a`:                   "a",
		`"A b"`:               "A b",
		`count(*)`:            "count",
		`count(1)`:            "count",
		`count(a)`:            "system.count(a)",
		`now()`:               "system.now()",
		`ks.f(a, 'x')`:        "ks.f(a, 'x')",
		`max(CAST(a AS int))`: "system.max(cast(a as int))",
		`token(a, b)`:         "system.token(a, b)",
		`WRITETIME(v)`:        "writetime(v)",
		`ttl(m['a'])`:         "ttl(m['a'])",
		`m['a'..'b']`:         "m['a'..'b']",
		`s[..1]`:              "s[..1]",
		`u.f`:                 "u.f",
		`a + b * 2`:           "a + b * 2",
		`-a`:                  "-a",
		`(int)1`:              "(int)1",
		`(a, b)`:              "(a, b)",
		`[a, 1]`:              "[a, 1]",
		`{'a': 1}`:            "{'a': 1}",
		`key`:                 "key",
	} {
		s, err := Parse("SELECT " + in + " FROM t")
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := ResultName(s.(*Select).Selectors[0].Expr, nil); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	s, _ := Parse("SELECT f(a) FROM t")
	if got := ResultName(s.(*Select).Selectors[0].Expr, func(f *FunctionCall) string { return "ks." + f.Name.Name }); got != "ks.f(a)" {
		t.Error(got)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"abc": "abc", "a_1": "a_1", "key": "key", "type": "type", "Abc": `"Abc"`, "select": `"select"`, "token": `"token"`,
		"a-b": `"a-b"`, `a"b`: `"a""b"`, "1a": `"1a"`, "_a": `"_a"`, "": `""`, "é": `"é"`, "true": `"true"`,
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
	if got := QuoteString("it's"); got != "'it''s'" {
		t.Error(got)
	}
	for _, k := range Keywords() {
		name := Quote(strings.ToLower(k))
		if _, err := Parse("SELECT " + name + " FROM " + name + "." + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseType(t *testing.T) {
	for _, in := range []string{"int", "varchar", "frozen<list<int>>", "map<text, frozen<set<uuid>>>", "tuple<int, ks.u>",
		"vector<float, 3>", `"My"`, `"date"`, "'org.x.Y'", "my_type", "key"} {
		typ, err := ParseType(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		} else if typ.String() != in {
			t.Errorf("%s became %s", in, typ)
		}
	}
	for _, in := range []string{"", "list<int", "map<int>", "int int", "vector<int>", "select"} {
		if typ, err := ParseType(in); err == nil {
			t.Errorf("%s became %s", in, typ)
		}
	}
}

func TestProperties(t *testing.T) {
	s, err := Parse("CREATE TABLE t (a int PRIMARY KEY) WITH Comment = 'it''s' AND x = true AND y = all AND c = {'a': 1, 'b': 'x'}")
	if err != nil {
		t.Fatal(err)
	}
	o := s.(*CreateTable).Options
	for i, want := range []string{"it's", "true", "all"} {
		if got, ok := o[i].Text(); !ok || got != want {
			t.Errorf("%s: %q", o[i].Name, got)
		}
	}
	if m, ok := o[3].Map(); !ok || len(m) != 2 || m[0] != [2]string{"a", "1"} || m[1] != [2]string{"b", "x"} {
		t.Error(m)
	}
	if _, ok := o[3].Text(); ok || o[0].Name != "comment" {
		t.Error("map as text")
	}
}

func TestSplit(t *testing.T) {
	text := "SELECT 1; -- a;b\n\n INSERT 'x;y' \"q;\" /* ; */ $$ ; $$;;\nBEGIN BATCH INSERT a; UPDATE b; APPLY BATCH;\n# bad ; USE k"
	done, rest, open := Split(text)
	want := []Piece{
		{"SELECT 1;", 0, 1},
		{"INSERT 'x;y' \"q;\" /* ; */ $$ ; $$;", 19, 3},
		{"BEGIN BATCH INSERT a; UPDATE b; APPLY BATCH;", 55, 4},
		{"# bad ;", 100, 5},
	}
	if len(done) != len(want) {
		t.Fatalf("%+v", done)
	}
	for i, p := range done {
		if p != want[i] {
			t.Errorf("%+v, want %+v", p, want[i])
		}
	}
	if rest.Text != "USE k" || open {
		t.Errorf("rest %+v", rest)
	}
	for text, wantOpen := range map[string]bool{"": false, " -- x": false, "SELECT 'a": true, "/* x": true, "SELECT a": false, `"`: true} {
		if _, _, open := Split(text); open != wantOpen {
			t.Errorf("%q: open %v", text, open)
		}
	}
	if _, rest, _ := Split("BEGIN BATCH INSERT a;"); rest.Text != "BEGIN BATCH INSERT a;" {
		t.Errorf("%+v", rest)
	}
}

var benchStatements = map[string]string{
	"select": "SELECT a, b, c FROM ks.users WHERE id = ? AND ts > ? LIMIT 10",
	"insert": "INSERT INTO ks.users (id, name, email, created, tags) VALUES (?, ?, ?, ?, {'a', 'b'}) USING TTL 86400",
	"create": "CREATE TABLE ks.t (k uuid, c timeuuid, v map<text, frozen<list<int>>>, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'x'",
}

func BenchmarkParse(b *testing.B) {
	for name, text := range benchStatements {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestParseAllocs(t *testing.T) {
	for name, most := range map[string]float64{"select": 20, "insert": 24} {
		text := benchStatements[name]
		n := testing.AllocsPerRun(100, func() {
			if _, err := Parse(text); err != nil {
				t.Fatal(err)
			}
		})
		if n > most {
			t.Errorf("%s: %v allocations, at most %v expected", name, n, most)
		}
	}
}

func TestSyntaxErrorIsBounded(t *testing.T) {
	_, err := Parse("SELECT * FROM t WHERE a = '" + strings.Repeat("é", 100000) + "' '" + strings.Repeat("ü", 100000) + "'")
	e := err.(*SyntaxError)
	if len(e.Msg) > 2*maxExcerptBytes+512 || !strings.Contains(e.Msg, "expecting EOF") {
		t.Fatalf("%d bytes: %.100s", len(e.Msg), e.Msg)
	}
}
