package schema

import (
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/golden"
)

// The golden texts equal what Cassandra 5.0.8 prints for the same definitions.
func TestDescribeGolden(t *testing.T) {
	ks, err := NewKeyspace("k", KeyspaceOptions{Replication: map[string]string{"class": "SimpleStrategy", "replication_factor": "1"}}, []string{"datacenter1"})
	if err != nil {
		t.Fatal(err)
	}
	tab := exampleTable(t)
	dropped := tab.Dropped
	tab.Dropped = nil
	var b strings.Builder
	b.WriteString(ks.CreateStatement() + "\n" + tab.CreateStatement(false) + "\n")
	simple := &Table{Keyspace: "k", Name: "a", Options: DefaultOptions(),
		PartitionKey: []*Column{{ID: 1, Name: "k", Kind: PartitionKey, Type: TypeInt}}}
	simple.Init()
	b.WriteString(simple.CreateStatement(false) + "\n")
	counter := &Table{Keyspace: "k", Name: "c", Options: DefaultOptions(), PartitionKey: []*Column{
		{ID: 1, Name: "a", Kind: PartitionKey, Type: TypeInt}, {ID: 2, Name: "b", Kind: PartitionKey, Position: 1, Type: TypeInt},
	}, Regular: []*Column{{ID: 3, Name: "c", Kind: Regular, Position: -1, Type: TypeCounter}}}
	counter.Init()
	b.WriteString(counter.CreateStatement(false) + "\n")
	tab.Dropped = dropped
	b.WriteString(tab.CreateStatement(true) + "\n")
	virtual := &Table{Keyspace: "system_virtual_schema", Name: "keyspaces", Virtual: true, Options: TableOptions{Comment: "virtual keyspace definitions"},
		PartitionKey: []*Column{{ID: 1, Name: "keyspace_name", Kind: PartitionKey, Type: TypeText}}}
	virtual.Init()
	b.WriteString(virtual.CreateStatement(false) + "\n")
	b.WriteString(UDTOf("k", "addr", []string{"street", "No"}, []*Type{TypeText, TypeInt}, false).CreateStatement() + "\n")
	golden.Check(t, "describe.txt", b.String())
}

func TestQuoteName(t *testing.T) {
	for in, want := range map[string]string{"abc": "abc", "Abc": `"Abc"`, "a b": `"a b"`, `a"b`: `"a""b"`, "select": `"select"`, "1a": `"1a"`, "": `""`, "a_1": "a_1", "_a": `"_a"`} {
		if got := QuoteName(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
