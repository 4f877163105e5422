package virtual

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/schema"
)

// TestDefinitionsAreCassandras compares every table with the CREATE TABLE of
// Cassandra 5.0, both ways.
func TestDefinitionsAreCassandras(t *testing.T) {
	text, err := os.ReadFile("testdata/cassandra-5.0.cql")
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for name, ks := range definitions().planned {
		for table := range ks.Tables {
			missing[name+"."+table] = true
		}
	}
	for line := range strings.Lines(string(text)) {
		stmt, err := cql.Parse(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		want := stmt.(*cql.CreateTable)
		ks := definitions().planned[want.Name.Keyspace]
		if ks == nil || ks.Tables[want.Name.Name] == nil {
			t.Errorf("no table %s.%s", want.Name.Keyspace, want.Name.Name)
			continue
		}
		delete(missing, want.Name.Keyspace+"."+want.Name.Name)
		compareTable(t, ks.Tables[want.Name.Name], want)
	}
	for name := range missing {
		t.Errorf("%s is not compared with anything", name)
	}
}

func compareTable(t *testing.T, got *schema.Table, want *cql.CreateTable) {
	t.Helper()
	if n := len(got.Columns()); n != len(want.Columns) {
		t.Errorf("%s has %d columns, not %d", got.Name, n, len(want.Columns))
	}
	partition := want.PartitionKey
	for _, def := range want.Columns {
		c := got.Column(def.Name.Name)
		if c == nil {
			t.Errorf("%s has no column %s", got.Name, def.Name.Name)
			continue
		}
		typ, err := schema.ParseType(def.Type.String())
		if err != nil || !typ.Equal(c.Type) {
			t.Errorf("%s.%s is %s, not %s (%v)", got.Name, c.Name, c.Type, def.Type, err)
		}
		if def.Static != (c.Kind == schema.Static) {
			t.Errorf("%s.%s: static", got.Name, c.Name)
		}
		if def.PrimaryKey {
			partition = []cql.Ident{def.Name}
		}
	}
	compareKey(t, got.Name, got.PartitionKey, partition)
	compareKey(t, got.Name, got.Clustering, want.ClusteringKey)
}

func compareKey(t *testing.T, table string, got []*schema.Column, want []cql.Ident) {
	t.Helper()
	same := slices.EqualFunc(got, want, func(c *schema.Column, id cql.Ident) bool { return c.Name == id.Name && !c.Desc })
	if !same {
		t.Errorf("%s: another key, want %v", table, want)
	}
}

func TestEveryKeyspaceThere(t *testing.T) {
	for _, name := range []string{"system", "system_schema", "system_auth", "system_distributed", "system_traces", "system_views", "system_virtual_schema"} {
		ks := definitions().planned[name]
		if ks == nil || !schema.IsSystemKeyspace(name) {
			t.Fatalf("no keyspace %s", name)
		}
		for _, table := range ks.Tables {
			if !table.Virtual {
				t.Errorf("%s.%s is not virtual to the planner", name, table.Name)
			}
			for i, c := range table.Columns() {
				if int(c.ID) != i+1 || c.ID >= table.NextColumnID || table.ColumnByID(c.ID) != c {
					t.Errorf("%s.%s: id %d of column %s", name, table.Name, c.ID, c.Name)
				}
			}
		}
	}
	if n := len(definitions().planned); n != 7 {
		t.Errorf("%d keyspaces", n)
	}
}

// TestEveryTableReads reads every table of a node that has nothing but a
// schema: all must be there, empty or not.
func TestEveryTableReads(t *testing.T) {
	user := users(t)
	r := New(Sources{Schema: func() *schema.Snapshot { return user }})
	for name, ks := range definitions().planned {
		for table := range ks.Tables {
			rowsIn(t, r, name, table)
		}
	}
	for name := range fillers {
		ks, table, _ := strings.Cut(name, ".")
		if r.Lookup(ks, table) == nil {
			t.Errorf("rows for %s, which is no table", name)
		}
	}
}
