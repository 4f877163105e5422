package plan_test

import (
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/schema"
)

func (w *world) must(text string) {
	w.t.Helper()
	if err := w.change(text); err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
}

func (w *world) refused(text, message string) {
	w.t.Helper()
	if err := w.outcome(text); err == nil || err.Error() != message {
		w.t.Errorf("%s:\n got %v\nwant %s", text, err, message)
	}
}

func TestAlterTable(t *testing.T) {
	w := newWorld(t)
	before := w.snap.Table("ks", "t")
	w.must("ALTER TABLE t ADD (x int, y set<text>, z text STATIC)")
	w.must("ALTER TABLE t ADD IF NOT EXISTS x int")
	w.must("ALTER TABLE t DROP v")
	w.must("ALTER TABLE t DROP IF EXISTS v")
	w.must("ALTER TABLE t RENAME c1 TO first AND c2 TO second")
	w.must("ALTER TABLE t WITH gc_grace_seconds = 5 AND comment = 'altered'")
	tb := w.snap.Table("ks", "t")
	if tb.ID != before.ID || tb.Column("v") != nil || tb.Column("first").ID != before.Column("c1").ID || tb.Options.GCGraceSeconds != 5 {
		t.Errorf("%s", tb.CreateStatement(true))
	}
	if len(tb.Dropped) != 1 || tb.Dropped[0].DroppedAt != 5_000_000 || tb.Dropped[0].Name != "v" {
		t.Errorf("%+v", tb.Dropped)
	}
	if before.Column("v") == nil || before.Column("c1") == nil || len(before.Dropped) != 0 {
		t.Error("the old definition was changed")
	}
	w.refused("ALTER TABLE t ADD v int", "Cannot add a column 'v' of type int, incompatible with previously dropped column 'v' of type text")
	w.refused("ALTER TABLE t ADD v text STATIC", "Cannot re-add previously dropped column 'v' of kind STATIC, incompatible with previous kind REGULAR")
	w.must("ALTER TABLE t ADD v text")
	if id := w.snap.Table("ks", "t").Column("v").ID; id == before.Column("v").ID {
		t.Error("the id of a dropped column was given again")
	}
	w.must("ALTER TABLE t DROP v USING TIMESTAMP 77")
	if d := w.snap.Table("ks", "t").Dropped; d[len(d)-1].DroppedAt != 77 {
		t.Errorf("%+v", d)
	}
	w.refused("ALTER TABLE t ADD n counter", "ks.t: Cannot have a counter column (\"n\") in a non counter table")
	w.refused("ALTER TABLE p ADD z int STATIC", "Static columns are only useful (and thus allowed) if the table has at least one clustering column")
	w.refused("ALTER TABLE t RENAME first TO k", "Cannot rename column first to k in table 'ks.t'; another column with that name already exists")
	w.refused("ALTER TABLE t WITH gc_grace_seconds = -1", "gc_grace_seconds must be greater than or equal to 0 (got -1)")
}

func TestSchemaEvents(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		text string
		want native.SchemaChange
	}{
		{"CREATE KEYSPACE x WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1}", native.SchemaChange{Change: "CREATED", Target: "KEYSPACE", Keyspace: "x"}},
		{"ALTER KEYSPACE x WITH durable_writes = false", native.SchemaChange{Change: "UPDATED", Target: "KEYSPACE", Keyspace: "x"}},
		{"CREATE TABLE x.y (k int PRIMARY KEY) WITH id = 5a1c395e-b41f-11e5-9f22-ba0be0483c18", native.SchemaChange{Change: "CREATED", Target: "TABLE", Keyspace: "x", Name: "y"}},
		{"ALTER TABLE x.y ADD v int", native.SchemaChange{Change: "UPDATED", Target: "TABLE", Keyspace: "x", Name: "y"}},
		{"CREATE TYPE x.z (a int, b frozen<list<text>>)", native.SchemaChange{Change: "CREATED", Target: "TYPE", Keyspace: "x", Name: "z"}},
		{"ALTER TYPE x.z RENAME a TO c", native.SchemaChange{Change: "UPDATED", Target: "TYPE", Keyspace: "x", Name: "z"}},
		{"DROP TYPE x.z", native.SchemaChange{Change: "DROPPED", Target: "TYPE", Keyspace: "x", Name: "z"}},
		{"DROP TABLE x.y", native.SchemaChange{Change: "DROPPED", Target: "TABLE", Keyspace: "x", Name: "y"}},
		{"DROP KEYSPACE x", native.SchemaChange{Change: "DROPPED", Target: "KEYSPACE", Keyspace: "x"}},
	} {
		p, err := w.compile(c.text)
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		e := p.Schema.Event
		if e == nil || e.Change != c.want.Change || e.Target != c.want.Target || e.Keyspace != c.want.Keyspace || e.Name != c.want.Name {
			t.Errorf("%s: %+v", c.text, e)
		}
		w.must(c.text)
		if tb := w.snap.Table("x", "y"); tb != nil && schema.UUID(tb.ID).String() != "5a1c395e-b41f-11e5-9f22-ba0be0483c18" {
			t.Errorf("id %s", schema.UUID(tb.ID))
		}
	}
	if w.snap.Keyspace("x") != nil {
		t.Error("the keyspace is still there")
	}
	p, err := w.compile("TRUNCATE TABLE t")
	if err != nil || p.Schema.Event != nil || !p.Schema.Truncate {
		t.Error(err)
	}
	w.refused("ALTER KEYSPACE x WITH durable_writes = true", "Keyspace 'x' doesn't exist")
	w.must("ALTER KEYSPACE IF EXISTS x WITH durable_writes = true")
	w.refused("CREATE KEYSPACE x WITH replication = {'class': 'NetworkTopologyStrategy', 'nowhere': 1}",
		"Unrecognized strategy option {nowhere} passed to NetworkTopologyStrategy for keyspace x")
	w.refused("ALTER TYPE nope ADD a int", "Type ks.nope doesn't exist")
	w.refused("DROP TYPE nope", "Type 'ks.nope' doesn't exist")
}

// The empty slots that cassandra-stress puts between columns.
func TestCreateTableForms(t *testing.T) {
	w := newWorld(t)
	w.must(`CREATE TABLE s1 (k blob PRIMARY KEY, , "C0" blob) WITH compression = {} AND compaction = {'class': 'LeveledCompactionStrategy'}`)
	w.must("CREATE TABLE s2 (a int, b int, c int, d int, PRIMARY KEY ((a, b), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC) AND default_time_to_live = 10")
	tb := w.snap.Table("ks", "s2")
	if !tb.Clustering[0].Desc || tb.Clustering[1].Desc || len(tb.PartitionKey) != 2 || tb.Options.DefaultTTL != 10 {
		t.Error(tb.CreateStatement(false))
	}
	w.refused("CREATE TABLE s3 (a int, b int, c int, PRIMARY KEY (a, b, c)) WITH CLUSTERING ORDER BY (c DESC)",
		"Missing CLUSTERING ORDER for column b")
	w.refused("CREATE TABLE s3 (a int, b int, PRIMARY KEY (a)) WITH CLUSTERING ORDER BY (b DESC)",
		"Only clustering key columns can be defined in CLUSTERING ORDER directive: [b] are not clustering columns")
	w.refused("CREATE TABLE s3 (a int PRIMARY KEY, b frozen<int>)", "frozen<> is only allowed on collections, tuples, and user-defined types (got int)")
	w.refused("CREATE TABLE s3 (a int PRIMARY KEY, b nope)", "Unknown type ks.nope")
	w.refused("CREATE TABLE "+strings.Repeat("x", 223)+" (a int PRIMARY KEY)", "ks."+strings.Repeat("x", 223)+
		": Table name must not be more than 222 characters long (got 223 characters for \""+strings.Repeat("x", 223)+"\")")
}

func TestDescribe(t *testing.T) {
	w := newWorld(t)
	w.must("CREATE TYPE b (x int)")
	w.must("CREATE TYPE a (x frozen<b>)")
	for _, c := range [][2]string{
		{"DESCRIBE KEYSPACES", "ks,keyspace,ks"},
		{"DESCRIBE TABLES", "ks,table,cnt ks,table,coll ks,table,p ks,table,t"},
		{"DESCRIBE TYPES", "ks,type,a ks,type,b"},
		{"DESCRIBE FUNCTIONS", ""},
		{"DESCRIBE KEYSPACE", "ks,keyspace,ks ks,type,b ks,type,a ks,table,cnt ks,table,coll ks,table,p ks,table,t"},
		{"DESCRIBE ONLY KEYSPACE ks", "ks,keyspace,ks"},
		{"DESCRIBE SCHEMA", "ks,keyspace,ks ks,type,b ks,type,a ks,table,cnt ks,table,coll ks,table,p ks,table,t"},
		{"DESCRIBE ks", "ks,keyspace,ks ks,type,b ks,type,a ks,table,cnt ks,table,coll ks,table,p ks,table,t"},
		{"DESCRIBE t", "ks,table,t"}, {"DESCRIBE TABLE ks.t WITH INTERNALS", "ks,table,t"}, {"DESCRIBE TYPE a", "ks,type,a"}, {"DESC b", "ks,type,b"},
		{"DESCRIBE CLUSTER", "c,p,s"},
	} {
		p, err := w.compile(c[0])
		if err != nil {
			t.Errorf("%s: %v", c[0], err)
			continue
		}
		var got []string
		for _, row := range p.Describe.Rows(&plan.DescribeInfo{Cluster: "c", Partitioner: "p", Snitch: "s", Owners: map[string][]string{"0": {"127.0.0.1"}}}) {
			if len(row) != len(p.Result.Columns()) {
				t.Errorf("%s: %d columns", c[0], len(row))
			}
			got = append(got, string(row[0])+","+string(row[1])+","+string(row[2]))
			if len(row) == 4 && string(row[1]) == "table" {
				w.recreate(string(row[3]))
			}
		}
		if s := strings.Join(got, " "); s != c[1] {
			t.Errorf("%s:\n got %s\nwant %s", c[0], s, c[1])
		}
	}
	w.refused("DESCRIBE KEYSPACE nope", "'nope' not found in keyspaces")
	w.refused("DESCRIBE INDEX i", "Table for existing index 'i' not found in 'ks'")
	w.refused("DESCRIBE FUNCTION f", "User defined function 'f' not found in 'ks'")
	w.refused("DESCRIBE TYPE nope", "User defined type 'nope' not found in 'ks'")
}

// recreate checks that what DESCRIBE prints can be executed.
func (w *world) recreate(text string) {
	w.t.Helper()
	text = strings.Replace(text, "CREATE TABLE ks.", "CREATE TABLE ks.again_", 1)
	if err := w.outcome(text); err != nil {
		w.t.Errorf("%s: %v", text, err)
	}
}
