package schema

import (
	"encoding/hex"
	"testing"
)

func mustType(t testing.TB, s string) *Type {
	t.Helper()
	ty, err := ParseType(s)
	if err != nil {
		t.Fatal(err)
	}
	return ty
}

// exampleTable is a table with every part that a definition has.
func exampleTable(t testing.TB) *Table {
	opts, err := DefaultOptions().With([]Property{
		{Name: "comment", Value: "it's"},
		{Name: "compaction", Map: map[string]string{"class": "LeveledCompactionStrategy"}},
		{Name: "compression", Map: map[string]string{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	col := func(id ColumnID, name string, kind ColumnKind, pos int, ty string) *Column {
		return &Column{ID: id, Name: name, Kind: kind, Position: pos, Type: mustType(t, ty)}
	}
	tab := &Table{
		ID: TableID{0x1f, 0x90, 0xf8, 0xd0, 0xe5, 0xb2, 0x11, 0xf1, 0x81, 0xec, 0x9f, 0x24, 0x9a, 0x9f, 0xa0, 0xd9}, Keyspace: "k", Name: "b",
		PartitionKey: []*Column{col(1, "k", PartitionKey, 0, "int")},
		Clustering:   []*Column{col(2, "c", Clustering, 0, "text"), col(3, "d", Clustering, 1, "decimal")},
		Static:       []*Column{col(4, "s", Static, -1, "int")},
		Regular: []*Column{
			col(5, "v", Regular, -1, "frozen<list<frozen<list<int>>>>"), col(6, "t", Regular, -1, "tuple<int, text>"),
			col(7, "m", Regular, -1, "map<text, frozen<list<int>>>"), col(8, "vec", Regular, -1, "vector<float, 3>"),
			col(10, "Q", Regular, -1, "int"),
		},
		Dropped:      []DroppedColumn{{ID: 9, Name: "gone", Kind: Regular, Type: TypeText, DroppedAt: 1700000000000000}},
		NextColumnID: 11,
		Options:      opts,
	}
	tab.Clustering[0].Desc = true
	tab.Init()
	return tab
}

func hexdump(p []byte) string { return hex.Dump(p) }
