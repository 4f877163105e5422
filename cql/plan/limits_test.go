package plan_test

import (
	"strings"
	"testing"
)

// TestSchemaLimits goes to the longest names, the longest default TTL and the
// largest vectors, and one over.
func TestSchemaLimits(t *testing.T) {
	w := newWorld(t)
	name := func(n int) string { return strings.Repeat("n", n) }
	const replication = " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
	w.must("CREATE KEYSPACE " + name(48) + replication)
	w.refused("CREATE KEYSPACE "+name(49)+replication,
		`Keyspace name must not be more than 48 characters long (got 49 characters for "`+name(49)+`")`)
	w.must("CREATE TABLE " + name(222) + " (a int PRIMARY KEY)")
	w.refused("CREATE TABLE "+name(223)+" (a int PRIMARY KEY)",
		"ks."+name(223)+`: Table name must not be more than 222 characters long (got 223 characters for "`+name(223)+`")`)
	w.must("CREATE TABLE lasting (a int PRIMARY KEY) WITH default_time_to_live = 630720000")
	w.refused("CREATE TABLE longer (a int PRIMARY KEY) WITH default_time_to_live = 630720001",
		"default_time_to_live must be less than or equal to 630720000 (got 630720001)")
	w.must("CREATE TABLE wide (a int PRIMARY KEY, v vector<int, 65535>)")
	w.refused("CREATE TABLE wider (a int PRIMARY KEY, v vector<int, 65536>)", "vectors may not have more than 65535 dimensions; given 65536")
	w.must("CREATE TABLE deep (a int PRIMARY KEY, v vector<vector<int, 65535>, 1024>)")
	w.refused("CREATE TABLE deeper (a int PRIMARY KEY, v vector<vector<int, 65535>, 1025>)", "vectors may not have more than 268435456 bytes")
}
