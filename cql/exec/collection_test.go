package exec_test

import (
	"encoding/binary"
	"testing"

	"github.com/ilion-db/ilion/cql/plan"
)

func i32(n int32) plan.Value {
	return plan.Value{Bytes: binary.BigEndian.AppendUint32(nil, uint32(n))}
}

func text(s string) plan.Value { return plan.Value{Bytes: []byte(s)} }

func TestCollections(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int PRIMARY KEY, l list<int>, s set<int>, m map<text, int>, f frozen<set<int>>)")
	get := func(col, want string) {
		t.Helper()
		d.want("SELECT "+col+" FROM t WHERE k = 1", want)
	}
	d.run("INSERT INTO t (k, l, s, m, f) VALUES (1, [1, 2, 3], {3, -1, 2, 3}, {'b': 2, 'a': 1}, {9, 8, -7})")
	get("l", "[1, 2, 3]")
	get("s", "{-1, 2, 3}")
	get("m", "{'a': 1, 'b': 2}")
	get("f", "{-7, 8, 9}")
	d.run("UPDATE t SET l = l + [4, 5], s = s + {0}, m = m + {'c': 3} WHERE k = 1")
	d.run("UPDATE t SET l = [-1, 0] + l, s = s - {2, 9}, m = m - {'a'} WHERE k = 1")
	get("l", "[-1, 0, 1, 2, 3, 4, 5]")
	get("s", "{-1, 0, 3}")
	get("m", "{'b': 2, 'c': 3}")
	d.run("UPDATE t SET l = [-2] + l WHERE k = 1")
	get("l", "[-2, -1, 0, 1, 2, 3, 4, 5]")
	d.run("UPDATE t SET l[0] = 7, m['z'] = 26 WHERE k = 1")
	get("l", "[7, -1, 0, 1, 2, 3, 4, 5]")
	get("m", "{'b': 2, 'c': 3, 'z': 26}")
	get("m['z']", "26")
	d.run("DELETE l[1], m['b'], s[3] FROM t WHERE k = 1")
	get("l", "[7, 0, 1, 2, 3, 4, 5]")
	get("m", "{'c': 3, 'z': 26}")
	get("s", "{-1, 0}")
	d.run("UPDATE t SET l = l - [7, 3, 99] WHERE k = 1")
	get("l", "[0, 1, 2, 4, 5]")
	d.want("SELECT k FROM t WHERE l CONTAINS 4 ALLOW FILTERING", "1")
	d.want("SELECT k FROM t WHERE l CONTAINS 3 ALLOW FILTERING")
	d.want("SELECT k FROM t WHERE m CONTAINS KEY 'z' AND m CONTAINS 3 ALLOW FILTERING", "1")
	d.want("SELECT k FROM t WHERE m['z'] = 26 ALLOW FILTERING", "1")
	d.want("SELECT k FROM t WHERE f = {8, 9, -7} ALLOW FILTERING", "1")
	d.run("UPDATE t SET s = {5}, l = [1] WHERE k = 1")
	get("s", "{5}")
	d.run("UPDATE t SET s = {} WHERE k = 1")
	get("s", "null")
	d.run("DELETE m FROM t WHERE k = 1")
	get("m", "null")
	d.fails("UPDATE t SET l[5] = 1 WHERE k = 1", "List index 5 out of bound, list has size 1")
	d.fails("UPDATE t SET l[0] = 1 WHERE k = 2", "Attempted to set an element on a list which is null")
	d.run("BEGIN BATCH UPDATE t SET l = l + [2] WHERE k = 1; UPDATE t SET l = l + [3] WHERE k = 1; " +
		"UPDATE t SET l = [0] + l WHERE k = 1; UPDATE t SET l = [-1] + l WHERE k = 1; APPLY BATCH")
	get("l", "[-1, 0, 1, 2, 3]")
}

func TestBoundCollections(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int PRIMARY KEY, l list<int>, s set<int>)")
	list := []byte{0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 9, 0, 0, 0, 4, 0, 0, 0, 8}
	d.run("INSERT INTO t (k, l, s) VALUES (?, ?, ?)", i32(1), plan.Value{Bytes: list}, plan.Value{Bytes: list})
	d.want("SELECT l, s FROM t", "[9, 8] | {8, 9}")
	d.run("INSERT INTO t (k, l, s) VALUES (?, ?, ?)", i32(1), plan.Value{Unset: true}, plan.Value{})
	d.want("SELECT l, s FROM t", "[9, 8] | null")
	d.run("UPDATE t SET l = l + [?, 7] WHERE k IN ?", i32(3), plan.Value{Bytes: list})
	d.want("SELECT l FROM t WHERE k IN (8, 9)", "[3, 7]", "[3, 7]")
	if _, err := d.try("INSERT INTO t (k, l) VALUES (2, ?)", plan.Value{Bytes: list[:11]}); err == nil {
		t.Error("a list that ends too early was taken")
	}
}

func TestTimeToLive(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int PRIMARY KEY, v int, w int) WITH default_time_to_live = 100")
	d.run("INSERT INTO t (k, v) VALUES (1, 1) USING TTL 10 AND TIMESTAMP 123")
	d.run("INSERT INTO t (k, v) VALUES (2, 2)")
	d.run("INSERT INTO t (k, v) VALUES (3, 3) USING TTL 0")
	d.want("SELECT k, ttl(v), writetime(v) FROM t WHERE k = 1", "1 | 10 | 123")
	d.want("SELECT k, ttl(v), ttl(w) FROM t WHERE k = 2", "2 | 100 | null")
	d.want("SELECT k, ttl(v) FROM t WHERE k = 3", "3 | null")
	d.clock += 50e6
	d.want("SELECT ttl(v) FROM t WHERE k = 2", "50")
	d.want("SELECT v FROM t WHERE k = 1")
	d.clock += 50e6
	d.want("SELECT k FROM t", "3")
	d.fails("INSERT INTO t (k) VALUES (1) USING TTL 630720001", "ttl is too large. requested (630720001) maximum (630720000)")
	d.fails("INSERT INTO t (k) VALUES (1) USING TTL -1", "A TTL must be greater or equal to 0, but was -1")
}

func TestOrders(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int, a int, b int, c int, PRIMARY KEY (k, a, b, c)) WITH CLUSTERING ORDER BY (a ASC, b DESC, c ASC)")
	for _, row := range []string{"1, 1, 1", "1, 1, 2", "1, 2, 1", "2, 1, 1", "2, 2, 1", "2, 2, 2"} {
		d.run("INSERT INTO t (k, a, b, c) VALUES (0, " + row + ")")
		d.run("INSERT INTO t (k, a, b, c) VALUES (9, " + row + ")")
	}
	sel := "SELECT a, b, c FROM t WHERE k = 0 "
	d.want(sel, "1 | 2 | 1", "1 | 1 | 1", "1 | 1 | 2", "2 | 2 | 1", "2 | 2 | 2", "2 | 1 | 1")
	d.want(sel+"AND (a, b) > (1, 1)", "1 | 2 | 1", "2 | 2 | 1", "2 | 2 | 2", "2 | 1 | 1")
	d.want(sel+"AND (a, b, c) >= (1, 1, 2) AND (a, b) < (2, 2)", "1 | 2 | 1", "1 | 1 | 2", "2 | 1 | 1")
	d.want(sel+"AND (a, b) IN ((2, 1), (1, 2))", "1 | 2 | 1", "2 | 1 | 1")
	d.want(sel+"AND a = 1 AND b > 1", "1 | 2 | 1")
	d.want(sel+"AND a = 1 AND b <= 1 ORDER BY a DESC", "1 | 1 | 2", "1 | 1 | 1")
	d.want(sel+"ORDER BY a DESC, b ASC, c DESC", "2 | 1 | 1", "2 | 2 | 2", "2 | 2 | 1", "1 | 1 | 2", "1 | 1 | 1", "1 | 2 | 1")
	d.want(sel+"AND a = 2 AND b IN (1, 2) AND c = 1", "2 | 2 | 1", "2 | 1 | 1")
	d.want("SELECT k, a, b FROM t WHERE k IN (0, 9) AND a = 1 ORDER BY a DESC LIMIT 2", "0 | 1 | 1", "9 | 1 | 1")
	d.want(sel + "AND a = 3 AND b = 1")
	d.want(sel+"AND b = 2 ALLOW FILTERING", "1 | 2 | 1", "2 | 2 | 1", "2 | 2 | 2")
	d.want(sel+"AND a > 1 AND b = 1 ALLOW FILTERING", "2 | 1 | 1")
	d.want("SELECT count(*), count(a), min(b), max(c), sum(a), avg(c) FROM t", "12 | 12 | 1 | 2 | 18 | 1")
	d.want("SELECT a, count(*), max(b) FROM t WHERE k = 0 GROUP BY a", "1 | 3 | 2", "2 | 3 | 2")
	d.want("SELECT a, b, count(*) FROM t WHERE k = 0 AND a = 2 GROUP BY b LIMIT 1", "2 | 2 | 2")
	d.want("SELECT a, count(*) FROM t WHERE k = 5 GROUP BY a")
	d.fails("SELECT a FROM t GROUP BY k, b", "Group by currently only support groups of columns following their declared order in the PRIMARY KEY")
	d.want("SELECT count(*), sum(a), avg(a), min(a) FROM t WHERE k = 77", "0 | 0 | 0 | null")
	d.run("DELETE FROM t WHERE k = 0 AND a = 1 AND b >= 2")
	d.run("DELETE FROM t WHERE k = 0 AND (a, b) > (1, 5)")
	d.want(sel, "1 | 1 | 1", "1 | 1 | 2")
}

func TestLossyClustering(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int, c decimal, v int, PRIMARY KEY (k, c))")
	d.run("INSERT INTO t (k, c, v) VALUES (1, 1.500, 1)")
	d.run("INSERT INTO t (k, c, v) VALUES (1, -2, 2)")
	d.want("SELECT c, v FROM t WHERE k = 1 AND c = 1.5", "1.500 | 1")
	d.want("SELECT c FROM t WHERE k = 1", "-2", "1.500")
}

func TestUserTypes(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TYPE ks.point (x int, y int)")
	d.run("CREATE TABLE t (k int PRIMARY KEY, p frozen<point>, ps list<frozen<point>>, u tuple<int, text>, v vector<float, 2>)")
	d.run("INSERT INTO t (k, p, ps, u, v) VALUES (1, {x: 1, y: 2}, [{x: 3}], (5, 'five'), [1.5, 2])")
	d.want("SELECT p, ps, u, v FROM t", "{x: 1, y: 2} | [{x: 3, y: null}] | (5, 'five') | [1.5, 2.0]")
	d.fails("INSERT INTO t (k, p) VALUES (1, {z: 1})", "Unknown field 'z' in value of user defined type frozen<point>")
	d.fails("DROP TYPE ks.point", "Cannot drop user type 'ks.point' as it is still used by table t")
	d.run("CREATE TABLE n (k int PRIMARY KEY, p point)")
	d.run("INSERT INTO n (k, p) VALUES (1, {x: 1, y: 2})")
	d.run("UPDATE n SET p.y = 5 WHERE k = 1")
	d.want("SELECT p, p.y FROM n", "{x: 1, y: 5} | 5")
	d.run("DELETE p.x FROM n WHERE k = 1")
	d.want("SELECT p, p.x FROM n", "{x: null, y: 5} | null")
	d.run("UPDATE n SET p = {x: 7} WHERE k = 1")
	d.want("SELECT p FROM n", "{x: 7, y: null}")
	d.run("UPDATE n SET p = null WHERE k = 1")
	d.want("SELECT p FROM n", "null")
	d.fails("SELECT * FROM n WHERE p = {x: 1} ALLOW FILTERING", "Non-frozen UDT column 'p' (point) cannot be restricted by any relation")
	d.run("INSERT INTO n (k, p) VALUES (1, {x: 1, y: 2})")
	d.run("ALTER TYPE ks.point ADD z int")
	d.want("SELECT p FROM n", "{x: 1, y: 2, z: null}")
	d.want("SELECT p FROM t", "{x: 1, y: 2, z: null}")
}
