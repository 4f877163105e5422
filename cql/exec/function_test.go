package exec_test

import "testing"

func TestFunctions(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int PRIMARY KEY, b bigint, f float, d double, v varint, e decimal, ts timestamp, da date, u timeuuid, s text, " +
		"m map<text, int>, st set<int>, y tinyint, bo boolean, n int)")
	d.run("INSERT INTO t (k, b, f, d, v, e, ts, da, u, s, m, st, y, bo) VALUES (1, 5000000000, 1.5, -2.5, 123456789012345678901234567890, 12.345, " +
		"'2024-02-29T12:30:00Z', '2024-03-01', 50554d6e-29bb-11e5-b345-feff819cdc9f, 'text', {'a': 1, 'b': 2}, {3, 1, 2}, 100, true)")
	for _, c := range [][2]string{
		{"k + 1", "2"}, {"b * 2", "10000000000"}, {"k + b", "5000000001"}, {"f + k", "2.5"}, {"f + b", "5.0000000015E9"},
		{"d / 2", "-1.25"}, {"v + 1", "123456789012345678901234567891"}, {"e + k", "13.345"}, {"e * e", "152.399025"},
		{"-k", "-1"}, {"-d", "2.5"}, {"k - 3", "-2"}, {"y + y", "-56"}, {"7 % 4", "3"}, {"(k + 1) * 3", "6"},
		{"k + n", "null"}, {"s + '!'", "'text!'"}, {"ts + 1d", "'2024-03-01 12:30:00.000Z'"}, {"ts - 1mo", "'2024-01-29 12:30:00.000Z'"},
		{"da + 1y", "'2025-03-01'"}, {"e / 7", "1.76357142857142857142857142857143"},
		{"CAST(k AS text)", "'1'"}, {"CAST(d AS int)", "-2"}, {"CAST(b AS int)", "705032704"}, {"CAST(e AS double)", "12.345"},
		{"CAST(d AS text)", "'-2.5'"}, {"CAST(v AS bigint)", "-4362896299872285998"}, {"CAST(ts AS date)", "'2024-02-29'"},
		{"CAST(da AS timestamp)", "'2024-03-01 00:00:00.000Z'"}, {"CAST(bo AS text)", "'true'"}, {"CAST(f AS decimal)", "1.5"},
		{"CAST(u AS timestamp)", "'2015-07-14 00:00:18.805Z'"}, {"CAST(n AS text)", "null"},
		{"to_date(ts)", "'2024-02-29'"}, {"toDate(u)", "'2015-07-14'"}, {"to_unix_timestamp(ts)", "1709209800000"},
		{"dateOf(u)", "'2015-07-14 00:00:18.805Z'"}, {"to_timestamp(da)", "'2024-03-01 00:00:00.000Z'"}, {"unixTimestampOf(u)", "1436832018805"},
		{"blob_as_int(int_as_blob(k))", "1"}, {"intAsBlob(k)", "0x00000001"}, {"blobAsText(textAsBlob(s))", "'text'"}, {"varcharasblob(s)", "0x74657874"},
		{"abs(d)", "2.5"}, {"round(e)", "12"}, {"log10(b)", "9"}, {"exp(n)", "null"}, {"abs(-5)", "5"},
		{"map_keys(m)", "{'a', 'b'}"}, {"map_values(m)", "[1, 2]"}, {"collection_count(m)", "2"}, {"collection_max(st)", "3"},
		{"m['b']", "2"}, {"m['z']", "null"}, {"st[3]", "3"}, {"st[9]", "null"}, {"(k, s)", "(1, 'text')"}, {"(bigint) 7", "7"},
		{"token(k)", "-4069959284402364209"}, {"token(1)", "-4069959284402364209"},
		{"current_date()", "'2023-11-14'"}, {"min_timeuuid('2013-01-01 00:05+0000')", "e23f1e00-53a6-11e2-8080-808080808080"},
	} {
		d.want("SELECT "+c[0]+" FROM t WHERE k = 1", c[1])
	}
	d.want("SELECT k FROM t WHERE u > minTimeuuid('2015-07-14 00:00:18') AND u < max_timeuuid('2015-07-14 00:00:19') ALLOW FILTERING", "1")
	d.want("SELECT sum(b), avg(f), sum(v), avg(e), max(s), min(m), sum(y) FROM t",
		"5000000000 | 1.5 | 123456789012345678901234567890 | 12.345 | 'text' | {'a': 1, 'b': 2} | 100")
	d.fails("SELECT k / 0 FROM t", "the operation 'int / int' failed: / by zero")
	d.fails("SELECT blob_as_int(0x00) FROM t", "In call to function system.blob_as_int, value 0x00 is not a valid binary representation for type int")
	d.fails("SELECT now(1) FROM t", "Invalid number of arguments in call to function system.now: 0 required but 1 provided")
	d.fails("SELECT max(count(k)) FROM t", "aggregate functions cannot be used as arguments of aggregate functions")
	d.run("UPDATE t USING TIMESTAMP 77 SET m = m + {'c': 3} WHERE k = 1")
	d.want("SELECT m, maxwritetime(st) FROM t WHERE k = 1", "{'a': 1, 'b': 2} | 1700000000000003")
}

func TestNowIsUnique(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int, u timeuuid, PRIMARY KEY (k, u))")
	for range 50 {
		d.run("INSERT INTO t (k, u) VALUES (1, now())")
		d.clock -= 20 // a clock that goes back must not matter
	}
	d.want("SELECT count(*) FROM t", "50")
}

// TestFloorOfAllTime has a start and a time as far from each other as can be.
func TestFloorOfAllTime(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int PRIMARY KEY, first timestamp, last timestamp)")
	d.run("INSERT INTO t (k, first, last) VALUES (1, -9223372036854775808, 9223372036854775807)")
	d.want("SELECT CAST(floor(last, 1d, first) AS bigint), CAST(floor(first, 1d, first) AS bigint) FROM t", "9223372036802824192 | -9223372036854775808")
}
