package exec_test

import "testing"

func TestJSON(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TYPE p (x int, y text)")
	d.run(`CREATE TABLE t (k int PRIMARY KEY, "Name" text, d double, e decimal, b blob, l list<text>, m map<int, boolean>, s set<int>, ` +
		"u frozen<p>, tu tuple<int, text>, ts timestamp, da date, id uuid, n varint)")
	doc := `{"k": 1, "\"Name\"": "a \"q\"\n", "d": 1.5, "e": 1.20, "b": "0x0aff", "l": ["x", "y"], "m": {"1": true, "-2": false}, "s": [3, 1], ` +
		`"u": {"x": 1, "y": "z"}, "tu": [7, null], "ts": "2024-02-29 12:30:00.000Z", "da": "2024-03-01", ` +
		`"id": "50554d6e-29bb-11e5-b345-feff819cdc9f", "n": 12345678901234567890}`
	want := `'{"k": 1, "\"Name\"": "a \"q\"\n", "b": "0x0aff", "d": 1.5, "da": "2024-03-01", "e": 1.20, "id": "50554d6e-29bb-11e5-b345-feff819cdc9f", ` +
		`"l": ["x", "y"], "m": {"-2": false, "1": true}, "n": 12345678901234567890, "s": [1, 3], "ts": "2024-02-29 12:30:00.000Z", "tu": [7, null], "u": {"x": 1, "y": "z"}}'`
	d.run("INSERT INTO t JSON ?", text(doc))
	d.want("SELECT JSON * FROM t", want)
	d.want("SELECT JSON k AS key, m FROM t", `'{"key": 1, "m": {"-2": false, "1": true}}'`)
	d.want("SELECT to_json(u), toJson(l), to_json(k) FROM t", `'{"x": 1, "y": "z"}' | '["x", "y"]' | '1'`)
	d.run(`INSERT INTO t JSON '{"k": 1, "d": null, "S": [5]}' DEFAULT UNSET`)
	d.want(`SELECT d, s, l, "Name" FROM t`, "null | {5} | ['x', 'y'] | 'a \"q\"\n'")
	d.run(`INSERT INTO t JSON '{"k": 1}'`)
	d.want("SELECT k, s, e FROM t", "1 | null | null")
	d.run(`INSERT INTO t (k, l, u) VALUES (2, from_json('["a"]'), fromJson(?))`, text(`{"y": "q"}`))
	d.want("SELECT l, u FROM t WHERE k = 2", "['a'] | {x: null, y: 'q'}")
	d.fails(`INSERT INTO t JSON '{"k": 1, "l": [null]}'`, "Error decoding JSON value for l: Invalid null element in list")
	d.run("CREATE TABLE v (k int PRIMARY KEY, i smallint, v vector<float, 2>)")
	d.fails(`INSERT INTO v (k, i) VALUES (1, from_json('""'))`, "execution of 'system.from_json[text]' failed: Expected 2 bytes for a smallint (0)")
	d.fails(`INSERT INTO v (k, v) VALUES (1, from_json('["", 1]'))`,
		"execution of 'system.from_json[text]' failed: Not enough bytes to read a vector<float, 2>")
	d.fails(`INSERT INTO t JSON '{"k": 1'`, "Could not decode JSON string as a map: unexpected EOF. (String was: {\"k\": 1)")
}
