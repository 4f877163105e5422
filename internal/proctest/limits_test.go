//go:build clients || long

package proctest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/godriver"
)

// TestLimits goes to each limit on what a client may send and one over it. The
// table of docs/limits.md names them.
func TestLimits(t *testing.T) {
	s := startServer(t, options{args: []string{"--memory", "512MiB"}})
	db := s.connect()
	defer godriver.Close(db)
	must(t, db, createKS)
	must(t, db, "CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))")
	must(t, db, "CREATE TABLE ks.p (k int, l int, c int, d int, PRIMARY KEY ((k, l), c, d))")
	w, err := dial(s.port, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	numbers := func(n int) string {
		return strings.TrimSuffix(strings.Repeat("1,", n), ",")
	}
	distinct := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%d,", i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	nested := func(n int) string {
		return "SELECT * FROM ks.t WHERE k = 1 AND c = " + strings.Repeat("[", n) + "1" + strings.Repeat("]", n)
	}
	padded := func(n int) string {
		const text = "SELECT k FROM ks.t WHERE k = 1"
		return text + strings.Repeat(" ", n-len(text))
	}
	twoPartitions := func(n int) string {
		half := strings.Repeat("v", n/2)
		return "BEGIN UNLOGGED BATCH INSERT INTO ks.t (k, c, v) VALUES (1, 1, '" + half + "'); INSERT INTO ks.t (k, c, v) VALUES (2, 1, '" + half + "'); APPLY BATCH"
	}
	onePartition := func(n int) string {
		return strings.Replace(twoPartitions(n), "(2, 1", "(1, 2", 1)
	}
	for _, c := range []struct {
		name, text string
		code       native.ErrorCode // 0 if it is served
		want       string           // in the error
	}{
		{"text at", padded(cql.MaxTextBytes), 0, ""},
		{"text over", padded(cql.MaxTextBytes + 1), native.CodeSyntax, "over the limit"},
		// Other things are wrong with it, but not its depth.
		{"nesting at", nested(31), native.CodeInvalid, ""},
		{"nesting over", nested(33), native.CodeSyntax, "levels deep"},
		{"tokens over", "SELECT * FROM ks.t WHERE k IN (" + numbers(cql.MaxTokens) + ")", native.CodeSyntax, "words and signs"},
		{"IN", "SELECT * FROM ks.t WHERE k = 1 AND c IN (" + distinct(1000) + ")", 0, ""},
		{"product at", "SELECT * FROM ks.p WHERE k = 1 AND l = 1 AND c IN (" + distinct(10) + ") AND d IN (" + distinct(10) + ")", 0, ""},
		{"product over", "SELECT * FROM ks.p WHERE k = 1 AND l = 1 AND c IN (" + distinct(10) + ") AND d IN (" + distinct(11) + ")", native.CodeInvalid, "threshold of 100"},
		{"keys at", "SELECT * FROM ks.p WHERE k IN (" + distinct(10) + ") AND l IN (" + distinct(10) + ")", 0, ""},
		{"keys over", "SELECT * FROM ks.p WHERE k IN (" + distinct(10) + ") AND l IN (" + distinct(11) + ")", native.CodeInvalid, "threshold of 100"},
		{"batch below", twoPartitions(49 << 10), 0, ""},
		{"batch over", twoPartitions(51 << 10), native.CodeInvalid, "Batch too large"},
		{"batch of one partition", onePartition(200 << 10), 0, ""},
	} {
		f := w.ask(c.text, 0, nil)
		if f.err != nil {
			t.Fatalf("%s: %v", c.name, f.err)
		}
		if f.code() != c.code || !strings.Contains(f.String(), c.want) || strings.Contains(c.name, "at") && strings.Contains(f.String(), "levels deep") {
			t.Errorf("%s: %v; want code %#x and %q", c.name, f, uint32(c.code), c.want)
		}
		if c.code != 0 && len(f.body) > 4<<10 {
			t.Errorf("%s: a message of %d bytes", c.name, len(f.body))
		}
	}
	s.withinMemory(512 << 20)
}

// TestFrameLimit sends the longest frame, and one that is longer.
func TestFrameLimit(t *testing.T) {
	s := startServer(t, options{args: []string{"--memory", "512MiB"}})
	w, err := dial(s.port, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	body := queryBody("SELECT key FROM system.local", 0, nil)
	body = append(body, make([]byte, native.MaxFrame-len(body))...)
	if err := w.send(1, native.OpQuery, body); err != nil {
		t.Fatal(err)
	}
	if f := w.read(); f.opcode != opResult {
		t.Errorf("a frame of %d bytes: %v", len(body), f)
	}
	// A longer one is refused before its body has come, and passed over.
	long := w.request(2, native.OpQuery, append(body, 0))
	const headBytes = 9
	if _, err := w.Write(long[:headBytes]); err != nil {
		t.Fatal(err)
	}
	if f := w.read(); f.code() != native.CodeInvalid {
		t.Errorf("a longer frame: %v", f)
	}
	if _, err := w.Write(long[headBytes:]); err != nil {
		t.Fatal(err)
	}
	if f := w.ask("SELECT key FROM system.local", 0, nil); f.opcode != opResult {
		t.Errorf("behind a frame that is too long: %v", f)
	}
	s.withinMemory(512 << 20)
}

// TestPagingStateTampered changes and cuts what a client must give back as it
// is.
func TestPagingStateTampered(t *testing.T) {
	s := startServer(t, options{args: []string{"--memory", "256MiB"}})
	db := s.connect()
	defer godriver.Close(db)
	must(t, db, createKS)
	fillWide(t, db, 100, 10)
	w, err := dial(s.port, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	const text = "SELECT * FROM ks.wide"
	state := w.ask(text, 10, nil).pagingState()
	if state == nil {
		t.Fatal("no paging state")
	}
	if f := w.ask(text, 10, state); f.opcode != opResult {
		t.Errorf("the state as it was: %v", f)
	}
	if f := w.ask("SELECT k FROM ks.wide WHERE k = 1", 10, state); f.code() != native.CodeInvalid && f.code() != native.CodeProtocol {
		t.Errorf("the state of another statement: %v", f)
	}
	for i := range state {
		bad := bytes.Clone(state)
		bad[i] ^= 0x40
		if f := w.ask(text, 10, bad); f.code() != native.CodeProtocol {
			t.Fatalf("byte %d changed: %v", i, f)
		}
		if f := w.ask(text, 10, state[:i]); f.code() != native.CodeProtocol && i > 0 {
			t.Fatalf("cut to %d bytes: %v", i, f)
		}
	}
}

// TestLargeValues stores what just fits and finds the rest refused.
func TestLargeValues(t *testing.T) {
	const budget = 512 << 20
	s := startServer(t, options{args: []string{"--memory", "512MiB"}})
	db := s.connect()
	defer godriver.Close(db)
	must(t, db, createKS)
	must(t, db, "CREATE TABLE ks.b (k int PRIMARY KEY, v blob)")
	must(t, db, "CREATE TABLE ks.l (k int PRIMARY KEY, l list<int>, m map<int, int>)")
	v := make([]byte, 16<<20-512)
	noise(v)
	must(t, db, "INSERT INTO ks.b (k, v) VALUES (1, ?)", v)
	var got []byte
	if err := db.Query("SELECT v FROM ks.b WHERE k = 1").Scan(&got); err != nil || !bytes.Equal(got, v) {
		t.Errorf("a value of %d bytes: %d come back: %v", len(v), len(got), err)
	}
	// 16 MiB and the rest of its frame are more than a frame may have.
	if err := db.Query("INSERT INTO ks.b (k, v) VALUES (2, ?)", make([]byte, 16<<20)).Exec(); err == nil {
		t.Error("a value of 16 MiB was taken")
	}
	again := s.connect() // the driver may be cut off by the last one
	defer godriver.Close(again)
	// What is stored of a list is larger than what is sent.
	if err := again.Query("INSERT INTO ks.l (k, l) VALUES (1, ?)", make([]int, 1_200_000)).Exec(); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a mutation over 16 MiB: %v", err)
	}
	m := map[int]int{}
	for i := range 5_000 {
		m[i] = -i
	}
	must(t, again, "INSERT INTO ks.l (k, m) VALUES (2, ?)", m)
	var back map[int]int
	if err := again.Query("SELECT m FROM ks.l WHERE k = 2").Scan(&back); err != nil || len(back) != len(m) || back[4_999] != -4_999 {
		t.Errorf("5,000 cells: %d come back: %v", len(back), err)
	}
	s.withinMemory(budget)
}

// TestManyColumns writes and reads a row of 5,000 columns.
func TestManyColumns(t *testing.T) {
	s := startServer(t, options{args: []string{"--memory", "256MiB"}})
	db := s.connect()
	defer godriver.Close(db)
	must(t, db, createKS)
	const columns = 5_000
	var def, names, values strings.Builder
	for i := range columns {
		fmt.Fprintf(&def, ", v%d int", i)
		fmt.Fprintf(&names, ", v%d", i)
		fmt.Fprintf(&values, ", %d", i)
	}
	must(t, db, "CREATE TABLE ks.t (k int PRIMARY KEY"+def.String()+")")
	must(t, db, "INSERT INTO ks.t (k"+names.String()+") VALUES (1"+values.String()+")")
	row := map[string]any{}
	if err := db.Query("SELECT * FROM ks.t WHERE k = 1").MapScan(row); err != nil || len(row) != columns+1 || row["v4999"] != 4999 {
		t.Errorf("%d columns, %v: %v", len(row), row["v4999"], err)
	}
}

// TestBatchWarning wants the client to be told of a large batch.
func TestBatchWarning(t *testing.T) {
	s := startServer(t, options{args: []string{"--memory", "256MiB"}})
	db := s.connect()
	defer godriver.Close(db)
	must(t, db, createKS)
	must(t, db, "CREATE TABLE ks.t (k int PRIMARY KEY, v text)")
	w, err := dial(s.port, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for _, c := range []struct {
		size int
		warn bool
	}{{4 << 10, false}, {6 << 10, true}} {
		v := strings.Repeat("v", c.size/2)
		f := w.ask("BEGIN UNLOGGED BATCH INSERT INTO ks.t (k, v) VALUES (1, '"+v+"'); INSERT INTO ks.t (k, v) VALUES (2, '"+v+"'); APPLY BATCH", 0, nil)
		if f.opcode != opResult || f.warned != c.warn {
			t.Errorf("%d bytes: %v, warned %v", c.size, f, f.warned)
		}
	}
}
