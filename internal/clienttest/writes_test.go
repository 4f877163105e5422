package clienttest

import (
	"fmt"
	"strings"
	"testing"
)

func TestBatches(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.a (k int, c int, v text, PRIMARY KEY (k, c))")
		e.must("CREATE TABLE KS.b (k int PRIMARY KEY, v text)")
		insert := e.in("INSERT INTO KS.a (k, c, v) VALUES (?, ?, ?)")
		for i, logged := range []bool{true, false} {
			err := e.batch(logged, []statement{
				{insert, []any{i, 1, "one"}},
				{insert, []any{i, 2, "two"}},
				{e.in("UPDATE KS.b SET v = ? WHERE k = ?"), []any{"other table", i}},
				{e.in(fmt.Sprintf("INSERT INTO KS.a (k, c, v) VALUES (%d, 3, 'text')", i)), nil},
				{e.in("DELETE FROM KS.a WHERE k = ? AND c = ?"), []any{i, 9}},
			})
			if err != nil {
				t.Fatalf("logged %t: %v", logged, err)
			}
			e.want([]string{"c:1 v:one", "c:2 v:two", "c:3 v:text"}, "SELECT c, v FROM KS.a WHERE k = ?", i)
			e.want([]string{"v:other table"}, "SELECT v FROM KS.b WHERE k = ?", i)
		}
		// All statements of a batch bear one time: a deletion beats an insert.
		err := e.batch(true, []statement{{insert, []any{5, 1, "x"}}, {e.in("DELETE FROM KS.a WHERE k = 5"), nil}})
		if err != nil {
			t.Fatal(err)
		}
		e.want(nil, "SELECT * FROM KS.a WHERE k = 5")
		e.must("BEGIN BATCH USING TIMESTAMP 1000 INSERT INTO KS.a (k, c, v) VALUES (?, ?, ?); INSERT INTO KS.b (k, v) VALUES (6, 'y') APPLY BATCH", 6, 1, "x")
		e.want([]string{"writetime(v):1000"}, "SELECT writetime(v) FROM KS.a WHERE k = 6")
		// A statement that cannot be done takes the others with it.
		err = e.batch(true, []statement{{insert, []any{7, 1, "x"}}, {e.in("INSERT INTO KS.none (k) VALUES (1)"), nil}})
		if e.code(err) != codeInvalid {
			t.Errorf("batch with an unknown table: %v", err)
		}
		e.want(nil, "SELECT * FROM KS.a WHERE k = 7")
	})
}

// TestManyRequests has ten thousand requests in flight at once.
func TestManyRequests(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.m (k int PRIMARY KEY, v text)")
		const n = 10_000
		insert, read := e.in("INSERT INTO KS.m (k, v) VALUES (?, ?)"), e.in("SELECT v FROM KS.m WHERE k = ?")
		if err := parallel(n, n, func(i int) error { return e.exec(insert, i, valueOf(i)) }); err != nil {
			t.Fatalf("write: %v", err)
		}
		err := parallel(n, n, func(i int) error {
			it := e.query(paging{}, read, i)
			var v string
			it.Scan(&v)
			if err := it.Close(); err != nil {
				return err
			}
			if v != valueOf(i) {
				return fmt.Errorf("got %q", v)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("read: %v", err)
		}
	})
}

func valueOf(i int) string { return strings.Repeat(fmt.Sprint("value ", i, " "), 1+i%20) }

func TestDeletes(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.d (k int, c int, s text static, v text, w int, PRIMARY KEY (k, c))")
		for c := range 10 {
			e.must("INSERT INTO KS.d (k, c, v, w) VALUES (1, ?, ?, ?)", c, fmt.Sprint(c), c)
		}
		left := func(want string) {
			t.Helper()
			got := strings.NewReplacer("c:", "").Replace(strings.Join(e.all("SELECT c FROM KS.d WHERE k = 1"), " "))
			if got != want {
				t.Errorf("rows %s, want %s", got, want)
			}
		}
		e.must("DELETE FROM KS.d WHERE k = 1 AND c = 4")
		left("0 1 2 3 5 6 7 8 9")
		e.must("DELETE FROM KS.d WHERE k = 1 AND c > ? AND c <= ?", 4, 6)
		left("0 1 2 3 7 8 9")
		e.must("DELETE FROM KS.d WHERE k = 1 AND c IN (0, 9)")
		left("1 2 3 7 8")
		e.must("DELETE v FROM KS.d WHERE k = 1 AND c = 1")
		e.want([]string{"c:1 v: w:1"}, "SELECT c, v, w FROM KS.d WHERE k = 1 AND c = 1")
		e.must("INSERT INTO KS.d (k, c, v) VALUES (1, 5, 'back')") // inside the deleted range
		left("1 2 3 5 7 8")
		e.must("DELETE FROM KS.d USING TIMESTAMP 10 WHERE k = 1") // older than all of it
		left("1 2 3 5 7 8")
		e.must("DELETE FROM KS.d WHERE k = 1")
		left("")
		e.must("INSERT INTO KS.d (k, c, v) VALUES (1, 1, 'old') USING TIMESTAMP 10") // under the tombstone
		left("")
		e.must("INSERT INTO KS.d (k, c) VALUES (2, 1)")
		e.must("UPDATE KS.d SET v = 'x' WHERE k = 2 AND c = 2")
		e.must("DELETE v FROM KS.d WHERE k = 2 AND c = 2")
		e.want([]string{"c:1"}, "SELECT c FROM KS.d WHERE k = 2") // a row of UPDATE ends with its last value
		e.must("TRUNCATE KS.d")
		e.want(nil, "SELECT * FROM KS.d")
	})
}

func TestTTL(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.t (k int PRIMARY KEY, v text, w text)")
		e.must("INSERT INTO KS.t (k, v) VALUES (1, 'stays') USING TTL 100000 AND TIMESTAMP 1234567")
		var ttl int
		var stamp int64
		e.one([]any{&ttl, &stamp}, "SELECT TTL(v), WRITETIME(v) FROM KS.t WHERE k = 1")
		if ttl < 99_000 || ttl > 100_000 || stamp != 1234567 {
			t.Errorf("TTL %d, WRITETIME %d", ttl, stamp)
		}
		var none *int
		e.must("INSERT INTO KS.t (k, v) VALUES (2, 'for ever')")
		e.one([]any{&none}, "SELECT TTL(v) FROM KS.t WHERE k = 2")
		if none != nil {
			t.Errorf("TTL without one is %d", *none)
		}
		e.must("UPDATE KS.t USING TTL ? SET w = ? WHERE k = ?", 1, "goes", 2)
		e.must("INSERT INTO KS.t (k, v) VALUES (?, ?) USING TTL ?", 3, "goes", 1)
		err := poll(requestTimeout, func() error {
			got := strings.Join(e.all("SELECT k, v, w FROM KS.t WHERE k IN (2, 3)"), ", ")
			if got != "k:2 v:for ever w:" {
				return fmt.Errorf("after the TTL: %s", got)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		e.must("CREATE TABLE KS.dt (k int PRIMARY KEY, v text) WITH default_time_to_live = 50000")
		e.must("INSERT INTO KS.dt (k, v) VALUES (1, 'a')")
		e.one([]any{&ttl}, "SELECT TTL(v) FROM KS.dt WHERE k = 1")
		if ttl < 49_000 || ttl > 50_000 {
			t.Errorf("default TTL %d", ttl)
		}
		e.must("INSERT INTO KS.dt (k, v) VALUES (2, 'a') USING TTL 0")
		e.one([]any{&none}, "SELECT TTL(v) FROM KS.dt WHERE k = 2")
		if none != nil {
			t.Errorf("TTL 0 is %d", *none)
		}
		if err := e.exec(e.in("INSERT INTO KS.t (k, v) VALUES (1, 'x') USING TTL 630720001")); e.code(err) != codeInvalid {
			t.Errorf("TTL too large: %v", err)
		}
	})
}

func TestTimestamps(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.w (k int PRIMARY KEY, v text)")
		e.must("INSERT INTO KS.w (k, v) VALUES (1, 'later') USING TIMESTAMP 200")
		e.must("INSERT INTO KS.w (k, v) VALUES (1, 'earlier') USING TIMESTAMP 100")
		e.want([]string{"v:later writetime(v):200"}, "SELECT v, writetime(v) FROM KS.w WHERE k = 1")
		e.must("INSERT INTO KS.w (k, v) VALUES (1, 'smaller') USING TIMESTAMP 300")
		e.must("INSERT INTO KS.w (k, v) VALUES (1, 'bigger?') USING TIMESTAMP 300")
		e.want([]string{"v:smaller"}, "SELECT v FROM KS.w WHERE k = 1") // a tie: the larger value
		e.must("UPDATE KS.w USING TIMESTAMP ? SET v = ? WHERE k = ?", int64(400), "bound", 1)
		e.want([]string{"v:bound"}, "SELECT v FROM KS.w WHERE k = 1")
		e.must("DELETE FROM KS.w USING TIMESTAMP 400 WHERE k = 1")
		e.want(nil, "SELECT v FROM KS.w WHERE k = 1") // a tie: the deletion
	})
}

func TestStaticAndOrder(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.s (k int, a int, b text, s text static, v int, PRIMARY KEY (k, a, b)) WITH CLUSTERING ORDER BY (a DESC, b ASC)")
		e.must("INSERT INTO KS.s (k, s) VALUES (1, 'alone')")
		e.want([]string{"a:0 s:alone"}, "SELECT a, s FROM KS.s WHERE k = 1")
		for a := range 3 {
			for _, b := range []string{"x", "y"} {
				e.must("INSERT INTO KS.s (k, a, b, v) VALUES (1, ?, ?, ?)", a, b, a)
			}
		}
		e.must("UPDATE KS.s SET s = 'shared' WHERE k = 1")
		e.want([]string{"a:2 b:x s:shared", "a:2 b:y s:shared", "a:1 b:x s:shared"}, "SELECT a, b, s FROM KS.s WHERE k = 1 LIMIT 3")
		e.want([]string{"a:0 b:y", "a:0 b:x", "a:1 b:y"}, "SELECT a, b FROM KS.s WHERE k = 1 ORDER BY a ASC, b DESC LIMIT 3")
		e.want([]string{"a:1 b:y", "a:1 b:x"}, "SELECT a, b FROM KS.s WHERE k = 1 AND a = 1 ORDER BY a ASC")
		e.want([]string{"a:2 b:x", "a:2 b:y", "a:1 b:y"}, "SELECT a, b FROM KS.s WHERE k = 1 AND (a, b) > (1, 'x')")
		e.want([]string{"k:1 s:shared"}, "SELECT DISTINCT k, s FROM KS.s")
		e.must("DELETE s FROM KS.s WHERE k = 1")
		e.want([]string{"a:2 s:"}, "SELECT a, s FROM KS.s WHERE k = 1 LIMIT 1")
	})
}
