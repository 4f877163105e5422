package exec_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
)

// wide is a database with a partition of many rows.
func wide(t *testing.T) *db {
	d := newDB(t)
	d.run("CREATE TABLE t (k int, c int, v text, PRIMARY KEY (k, c))")
	for c := range 200 {
		d.run(fmt.Sprintf("INSERT INTO t (k, c, v) VALUES (1, %d, '%s')", c, strings.Repeat("x", 100)))
	}
	return d
}

func TestPageBytes(t *testing.T) {
	d := wide(t)
	want := d.run("SELECT * FROM t")
	d.page, d.reader.Limits = 1000, exec.Limits{PageBytes: 1000}
	if got := d.run("SELECT * FROM t"); got != want || d.pages < 20 {
		t.Errorf("%d pages", d.pages)
	}
	d.page = 0
	if d.run("SELECT * FROM t"); d.pages != 1 {
		t.Errorf("%d pages of a query that is not paged", d.pages)
	}
	d.reader.Limits = exec.Limits{MaxBytes: 1000}
	d.fails("SELECT * FROM t", "The result is larger than 1000 bytes; use paging or a LIMIT")
}

func TestTombstonesEndPages(t *testing.T) {
	d := wide(t)
	for c := range 190 {
		d.run(fmt.Sprintf("DELETE FROM t WHERE k = 1 AND c = %d", c))
	}
	d.page, d.reader.Limits = 5, exec.Limits{ScanBytes: 500}
	if got := d.run("SELECT c FROM t"); strings.Count(got, "\n") != 9 || d.pages < 5 {
		t.Errorf("%d pages:\n%s", d.pages, got)
	}
	if got := d.run("SELECT c FROM t WHERE k = 1 ORDER BY c DESC"); strings.Count(got, "\n") != 9 {
		t.Errorf("reversed:\n%s", got)
	}
	d.want("SELECT count(*) FROM t", "10")
}

func TestTombstonesAreCounted(t *testing.T) {
	d := wide(t)
	for c := range 100 { // dead rows
		d.run(fmt.Sprintf("DELETE FROM t WHERE k = 1 AND c = %d", c))
	}
	for c := 100; c < 110; c++ { // a dead cell each
		d.run(fmt.Sprintf("DELETE v FROM t WHERE k = 1 AND c = %d", c))
	}
	d.run("DELETE FROM t WHERE k = 1 AND c >= 150 AND c < 160") // two ends
	const dead = 100 + 10 + 2
	for text, most := range map[string]int{
		"SELECT c FROM t": dead,
		"SELECT c FROM t WHERE k = 1 ORDER BY c DESC":           dead,
		"SELECT count(*) FROM t":                                dead,
		"SELECT c FROM t WHERE k = 1 AND c < 100":               100,
		"SELECT c FROM t WHERE k = 1 AND c >= 110 AND c < 140":  0,
		"SELECT c FROM t WHERE k = 1 AND c >= 100 LIMIT 5":      5,
		"SELECT c FROM t WHERE k = 1 AND c >= 100 AND c <= 155": 11, // a range deletion goes no further than what is read
	} {
		d.reader.Limits = exec.Limits{Tombstones: max(most, 1)}
		if _, err := d.try(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		d.reader.Limits = exec.Limits{Tombstones: most - 1}
		if most < 2 {
			continue
		}
		if _, err := d.try(text); !errors.Is(err, exec.ErrTombstones) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A paged query reads past any number of them, in more pages.
func TestTombstonesOfPages(t *testing.T) {
	d := wide(t)
	for c := range 190 {
		d.run(fmt.Sprintf("DELETE FROM t WHERE k = 1 AND c = %d", c))
	}
	d.page, d.reader.Limits = 5, exec.Limits{Tombstones: 10}
	if got := d.run("SELECT c FROM t"); strings.Count(got, "\n") != 9 || d.pages < 19 {
		t.Errorf("%d pages:\n%s", d.pages, got)
	}
}

// Wherever a page ends, at the edges of a partition and of range deletions too,
// the next one goes on behind it.
func TestTombstonePagesGoOn(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE e (k int, c int, v text, a text static, b text static, PRIMARY KEY (k, c))")
	for k := range 3 {
		for c := range 20 {
			d.run(fmt.Sprintf("INSERT INTO e (k, c, v) VALUES (%d, %d, 'v')", k, c))
		}
		for _, c := range []int{6, 7, 11} {
			d.run(fmt.Sprintf("DELETE FROM e WHERE k = %d AND c = %d", k, c))
		}
		d.run(fmt.Sprintf("DELETE FROM e WHERE k = %d AND c < 5", k))
		d.run(fmt.Sprintf("DELETE FROM e WHERE k = %d AND c > 16", k))
		d.run(fmt.Sprintf("DELETE a, b FROM e WHERE k = %d", k))
	}
	for _, text := range []string{"SELECT c FROM e", "SELECT c FROM e WHERE k = 1", "SELECT c FROM e WHERE k = 1 ORDER BY c DESC"} {
		d.page, d.reader.Limits = 0, exec.Limits{}
		want := d.run(text)
		for _, page := range []int32{1, 3, 100} {
			for most := range 16 {
				d.page, d.reader.Limits = page, exec.Limits{Tombstones: most + 1}
				if got := d.run(text); got != want || d.pages > 200 {
					t.Fatalf("%s, pages of %d and %d tombstones: %d pages:\n%s", text, page, most+1, d.pages, got)
				}
			}
		}
	}
}

func TestInlineRowsAndCheck(t *testing.T) {
	d := wide(t)
	d.reader.Limits = exec.Limits{InlineRows: 32}
	if _, err := d.try("SELECT * FROM t"); !errors.Is(err, mutation.ErrWouldBlock) {
		t.Error(err)
	}
	d.run("SELECT * FROM t WHERE k = 1 LIMIT 20")
	d.reader.Limits = exec.Limits{InlineBytes: 4096} // a row has more than 100
	if _, err := d.try("SELECT * FROM t WHERE k = 1 LIMIT 40"); !errors.Is(err, mutation.ErrWouldBlock) {
		t.Error(err)
	}
	d.run("SELECT * FROM t WHERE k = 1 LIMIT 20")
	stop := errors.New("stop")
	for c := range 100 {
		d.run(fmt.Sprintf("INSERT INTO t (k, c) VALUES (1, %d)", 1000+c))
	}
	d.reader.Limits = exec.Limits{Check: func() error { return stop }}
	if _, err := d.try("SELECT count(*) FROM t"); !errors.Is(err, stop) {
		t.Error(err)
	}
}

// A page that failed for want of memory can be made again.
func TestPageAgain(t *testing.T) {
	d := wide(t)
	p, err := d.compile("SELECT c FROM t")
	if err != nil {
		t.Fatal(err)
	}
	d.page = 10
	var out []string
	var state []byte
	for {
		if err := p.Select.Bind(d.query, nil, d.options()); err != nil {
			t.Fatal(err)
		}
		if err := d.reader.Resume(d.query, state); err != nil {
			t.Fatal(err)
		}
		src := d.source(&d.query.Command).(*chosen)
		model := src.Source.(*mutationtest.Source)
		model.Fail, model.Steps = mutation.ErrWouldBlock, 5
		head := []byte("head")
		dst, _, err := d.reader.Page(d.query, src, head)
		if !errors.Is(err, mutation.ErrWouldBlock) || len(dst) != len(head) {
			t.Fatal(len(dst), err)
		}
		dst, res, err := d.reader.Page(d.query, d.source(&d.query.Command), head)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d.format(p, dst[len(head):], res.Rows)...)
		if res.PagingState == nil {
			break
		}
		state = slices.Clone(res.PagingState)
	}
	d.page = 0
	if want := d.run("SELECT c FROM t"); strings.Join(out, "\n") != want {
		t.Errorf("got %v", out)
	}
}

func TestForeignState(t *testing.T) {
	d := wide(t)
	d.run("CREATE TABLE u (k int PRIMARY KEY)")
	d.page = 10
	p, _ := d.compile("SELECT c FROM t")
	if err := p.Select.Bind(d.query, nil, d.options()); err != nil {
		t.Fatal(err)
	}
	_ = d.reader.Resume(d.query, nil)
	_, res, err := d.reader.Page(d.query, d.source(&d.query.Command), nil)
	if err != nil || res.PagingState == nil {
		t.Fatal(err)
	}
	state := slices.Clone(res.PagingState)
	for _, text := range []string{"SELECT k FROM u", "SELECT v FROM t", "SELECT c FROM t WHERE token(k) = 5"} {
		p, _ := d.compile(text)
		if err := p.Select.Bind(d.query, nil, d.options()); err != nil {
			t.Fatal(err)
		}
		if err := d.reader.Resume(d.query, state); err == nil {
			t.Errorf("%s took the state of another statement", text)
		}
	}
	state[3] ^= 1
	if err := d.reader.Resume(d.query, state); err == nil || err.Error() != "Invalid value for the paging state" {
		t.Error(err)
	}
}
