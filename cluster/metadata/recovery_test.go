package metadata

import (
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// changed is the schema after changes.
func changed(t *testing.T, s *schema.Snapshot, changes ...schema.Change) *schema.Snapshot {
	t.Helper()
	for _, c := range changes {
		var err error
		if s, err = s.Apply(c, s.Epoch+1); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// tableWith is the table k0.t with more columns behind its key and v.
func tableWith(kind schema.ChangeKind, columns ...*schema.Column) schema.Change {
	x := &schema.Table{ID: schema.TableID{1}, Keyspace: "k0", Name: "t", NextColumnID: 100, Options: schema.DefaultOptions(),
		PartitionKey: []*schema.Column{{ID: 1, Name: "k", Kind: schema.PartitionKey, Type: schema.TypeInt}},
		Regular:      []*schema.Column{{ID: 2, Name: "v", Kind: schema.Regular, Position: -1, Type: schema.TypeText}}}
	x.Regular = append(x.Regular, columns...)
	return schema.Change{Kind: kind, Table: x}
}

func column(id schema.ColumnID, name string, typ *schema.Type) *schema.Column {
	return &schema.Column{ID: id, Name: name, Kind: schema.Regular, Position: -1, Type: typ}
}

func userType(kind schema.ChangeKind, fields ...string) schema.Change {
	types := make([]*schema.Type, len(fields))
	for i := range fields {
		types[i] = schema.TypeInt
	}
	return schema.Change{Kind: kind, Type: schema.UDTOf("k0", "u", fields, types, false)}
}

// TestRejoinReadable compares schemas of a node that rejoins with those of the
// cluster that has gone on without it.
func TestRejoinReadable(t *testing.T) {
	both := changed(t, schema.NewSnapshot(), keyspace(0), userType(schema.CreateType, "a"), tableWith(schema.CreateTable))
	alter := func(c ...*schema.Column) schema.Change { return tableWith(schema.AlterTable, c...) }
	drop := tableWith(schema.DropTable)
	for _, c := range []struct {
		name        string
		here, there []schema.Change
		want        string
	}{
		{"the same", nil, nil, ""},
		{"a column here", []schema.Change{alter(column(3, "x", schema.TypeInt))}, nil, ""},
		{"columns with ids of their own", []schema.Change{alter(column(3, "x", schema.TypeInt))}, []schema.Change{alter(column(9, "y", schema.TypeInt))}, ""},
		{"another name", []schema.Change{alter(column(3, "x", schema.TypeInt))}, []schema.Change{alter(column(3, "y", schema.TypeInt))},
			"values of the column x int of table k0.t here would be read as those of the column y int"},
		{"another type", []schema.Change{alter(column(3, "x", schema.TypeInt))}, []schema.Change{alter(column(3, "x", schema.TypeText))},
			"the column x int of table k0.t here would be read as those of the column x text"},
		{"a table that has gone", []schema.Change{alter(column(3, "x", schema.TypeInt))}, []schema.Change{drop}, ""},
		{"a keyspace that has gone", []schema.Change{userType(schema.AlterType, "a", "b")},
			[]schema.Change{{Kind: schema.DropKeyspace, Keyspace: keyspace(0).Keyspace}}, ""},
		{"a field there", nil, []schema.Change{userType(schema.AlterType, "a", "b")}, ""},
		{"a field here", []schema.Change{userType(schema.AlterType, "a", "b")}, nil, "the user type k0.u has b int as its field 2 here"},
		{"different fields", []schema.Change{userType(schema.AlterType, "a", "b")}, []schema.Change{userType(schema.AlterType, "a", "c")}, "has b int as its field 2"},
		{"the same fields", []schema.Change{userType(schema.AlterType, "a", "b")}, []schema.Change{userType(schema.AlterType, "a", "b")}, ""},
		{"a type that has gone", nil, []schema.Change{userType(schema.DropType, "a")}, ""},
	} {
		err := readableBy(changed(t, both, c.here...), changed(t, both, c.there...))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestRecoverNowhere is about directories that no node has.
func TestRecoverNowhere(t *testing.T) {
	for name, make := range map[string]bool{"empty": true, "missing": false} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			if make {
				if err := fs.MkdirAll("d"); err != nil {
					t.Fatal(err)
				}
			}
			_, recovered := Recover(fs, "d", "c")
			_, rejoined := Rejoin(fs, "d", "c", nil)
			for _, err := range []error{recovered, rejoined} {
				if err == nil || !strings.HasPrefix(err.Error(), "d is not the data directory of a node") {
					t.Error(err)
				}
			}
			if there, err := vfs.Exists(fs, "d/lock"); there || err != nil {
				t.Error("there is a lock", err)
			}
		})
	}
}
