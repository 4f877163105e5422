package clienttest

import (
	"fmt"
	"strings"
	"testing"
)

// pagedRows is how many rows are paged over.
func pagedRows() int {
	if raceEnabled || testing.Short() {
		return 20_000
	}
	return 100_000
}

// load writes n rows into KS.p: one wide partition 0 with half of them, the
// others in partitions of ten rows.
func (e *env) load(n int) {
	e.t.Helper()
	e.must("CREATE TABLE KS.p (k int, c int, v text, PRIMARY KEY (k, c))")
	const group = 100
	insert := e.in("INSERT INTO KS.p (k, c, v) VALUES (?, ?, ?)")
	err := parallel(n/group, 64, func(g int) error {
		var b []statement
		for i := g * group; i < (g+1)*group; i++ {
			k, c := placeOf(i, n)
			b = append(b, statement{insert, []any{k, c, fmt.Sprint(i)}})
		}
		return e.batch(false, b)
	})
	if err != nil {
		e.t.Fatalf("load: %v", err)
	}
}

func placeOf(i, n int) (k, c int) {
	if i < n/2 {
		return 0, i
	}
	return i / 10, i % 10
}

func TestPaging(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		n := pagedRows()
		e.load(n)
		t.Run("whole table", func(t *testing.T) { e.pageThrough(t, n, 1000) })
		t.Run("uneven pages", func(t *testing.T) { e.pageThrough(t, n, 997) })
		t.Run("wide partition", func(t *testing.T) { e.pageWide(t, n/2) })
		t.Run("by hand", func(t *testing.T) { e.pageByHand(t, n/2) })
		t.Run("limits", func(t *testing.T) { e.pageLimits(t, n) })
	})
}

func (e *env) pageThrough(t *testing.T, n, size int) {
	it := e.query(paging{size: size}, e.in("SELECT k, c, v FROM KS.p"))
	seen := make([]bool, n)
	var k, c int
	var v string
	count, last, ended := 0, -1, map[int]bool{}
	for it.Scan(&k, &c, &v) {
		var i int
		fmt.Sscan(v, &i)
		if wantK, wantC := placeOf(i, n); seen[i] || k != wantK || c != wantC {
			t.Fatalf("row %d %d %s: seen %t", k, c, v, seen[i])
		}
		if k != last {
			if ended[k] {
				t.Fatalf("partition %d comes in pieces", k)
			}
			ended[last], last = true, k
		}
		seen[i] = true
		count++
	}
	if err := it.Close(); err != nil || count != n {
		t.Fatalf("%d of %d rows, %v", count, n, err)
	}
}

func (e *env) pageWide(t *testing.T, n int) {
	for _, order := range []string{"ASC", "DESC"} {
		it := e.query(paging{size: 777}, e.in("SELECT c FROM KS.p WHERE k = 0 ORDER BY c "+order))
		var c, count int
		for it.Scan(&c) {
			want := count
			if order == "DESC" {
				want = n - 1 - count
			}
			if c != want {
				t.Fatalf("%s: row %d is %d", order, count, c)
			}
			count++
		}
		if err := it.Close(); err != nil || count != n {
			t.Fatalf("%s: %d of %d rows, %v", order, count, n, err)
		}
	}
}

// pageByHand takes the paging state out and goes on with it in a new query.
func (e *env) pageByHand(t *testing.T, n int) {
	var state []byte
	count, pages := 0, 0
	for {
		it := e.query(paging{size: 5000, state: state, one: true}, e.in("SELECT c FROM KS.p WHERE k = 0"))
		var c int
		for range it.NumRows() {
			if !it.Scan(&c) || c != count {
				t.Fatalf("row %d is %d", count, c)
			}
			count++
		}
		state = append([]byte(nil), it.PageState()...)
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		pages++
		if len(state) == 0 {
			break
		}
	}
	if count != n || pages > n/5000+1 {
		t.Fatalf("%d of %d rows in %d pages", count, n, pages)
	}
	err := e.query(paging{size: 10, state: []byte("no state"), one: true}, e.in("SELECT c FROM KS.p WHERE k = 0")).Close()
	if code := e.code(err); code != codeProtocol && code != codeInvalid {
		t.Errorf("a state that is none: %v", err)
	}
}

func (e *env) pageLimits(t *testing.T, n int) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"SELECT c FROM KS.p LIMIT 2500", 2500},
		{"SELECT c FROM KS.p WHERE k = 0 LIMIT 1500", 1500},
		{"SELECT c FROM KS.p WHERE k = 0 AND c >= 100 AND c < 2100", 2000},
		{"SELECT DISTINCT k FROM KS.p", 1 + n/20},
		{"SELECT k, c FROM KS.p PER PARTITION LIMIT 3", 3 * (1 + n/20)},
		{"SELECT k, c FROM KS.p PER PARTITION LIMIT 3 LIMIT 1234", 1234},
	} {
		it := e.query(paging{size: 100}, e.in(c.text))
		got := 0
		for it.MapScan(map[string]any{}) {
			got++
		}
		if err := it.Close(); err != nil || got != c.want {
			t.Errorf("%s: %d rows, want %d, %v", c.text, got, c.want, err)
		}
	}
	var count int64
	e.one([]any{&count}, "SELECT COUNT(*) FROM KS.p")
	if count != int64(n) {
		t.Errorf("COUNT(*) = %d, want %d", count, n)
	}
	keys := []string{}
	for i := range 50 {
		keys = append(keys, fmt.Sprint(n/20+i))
	}
	it := e.query(paging{size: 30}, e.in("SELECT c FROM KS.p WHERE k IN ("+strings.Join(keys, ", ")+")"))
	got := 0
	for it.MapScan(map[string]any{}) {
		got++
	}
	if err := it.Close(); err != nil || got != 500 {
		t.Errorf("IN: %d rows, want 500, %v", got, err)
	}
}
