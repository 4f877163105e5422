package clustertest

import (
	"testing"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// Keyspace is the keyspace of the tests' tables.
const Keyspace = "conformance"

func createKeyspace() schema.Change {
	return schema.Change{Kind: schema.CreateKeyspace, Keyspace: &schema.Keyspace{
		Name: Keyspace, DurableWrites: true,
		Replication: map[string]string{"class": schema.SimpleStrategy, "replication_factor": "1"},
	}}
}

// Table makes the definition of a table whose columns fit the records of
// mutationtest.Gen.
func Table(name string, id byte) *schema.Table {
	t := &schema.Table{ID: schema.TableID{id}, Keyspace: Keyspace, Name: name, Options: schema.DefaultOptions()}
	add := func(name string, kind schema.ColumnKind, typ *schema.Type) *schema.Column {
		t.NextColumnID++
		pos := -1
		if kind <= schema.Clustering {
			pos = 0
		}
		return &schema.Column{ID: t.NextColumnID, Name: name, Kind: kind, Position: pos, Type: typ}
	}
	for _, c := range []string{"c1", "c2", "c3"} {
		t.Regular = append(t.Regular, add(c, schema.Regular, schema.TypeBlob))
	}
	for _, c := range []string{"c4", "c5"} {
		t.Regular = append(t.Regular, add(c, schema.Regular, schema.SetOf(schema.TypeBlob, false)))
	}
	t.PartitionKey = []*schema.Column{add("k", schema.PartitionKey, schema.TypeBlob)}
	t.Clustering = []*schema.Column{add("c", schema.Clustering, schema.TypeBlob)}
	t.NextColumnID++
	t.Init()
	return t
}

// tables applies a schema of tables to a replica.
func tables(t *testing.T, apply func(*schema.Snapshot) error, names ...string) *schema.Snapshot {
	t.Helper()
	s, err := schema.NewSnapshot().Apply(createKeyspace(), 1)
	for i, name := range names {
		if err == nil {
			s, err = s.Apply(schema.Change{Kind: schema.CreateTable, Table: Table(name, byte(i+1))}, uint64(i+2))
		}
	}
	if err == nil {
		err = apply(s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Row makes a record that inserts a row with one cell.
func Row(table schema.TableID, k mutation.Key, clustering []byte, ts int64, value string) mutation.Record {
	var b mutation.Builder
	b.Begin(nil, mutation.Header{Table: table, Timestamp: ts, Token: k.Token, Key: k.Key})
	b.BeginRow(clustering)
	b.Marker(mutation.Marker{Timestamp: ts, Set: true})
	b.Cell(mutation.Cell{Column: 1, Timestamp: ts, Value: []byte(value)})
	b.EndRow()
	return b.Finish()
}

// await is a completer for a caller that waits.
type await chan error

func newAwait() await { return make(await, 2) }

func (a await) Complete(err error) { a <- err }
