package schema

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/golden"
)

func mustApply(t *testing.T, s *Snapshot, c Change, epoch uint64) *Snapshot {
	t.Helper()
	n, err := s.Apply(c, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func exampleKeyspace() *Keyspace {
	return &Keyspace{Name: "k", Replication: map[string]string{"class": SimpleStrategy, "replication_factor": "1"}, DurableWrites: true}
}

func TestApply(t *testing.T) {
	s0 := NewSnapshot()
	s1 := mustApply(t, s0, Change{Kind: CreateKeyspace, Keyspace: exampleKeyspace()}, 1)
	tab := exampleTable(t)
	s2 := mustApply(t, s1, Change{Kind: CreateTable, Table: tab}, 2)
	if s0.Keyspace("k") != nil || s1.Table("k", "b") != nil {
		t.Fatal("Apply changed its receiver")
	}
	got := s2.Table("k", "b")
	if got == nil || got != s2.TableByID(tab.ID) || got.Epoch != 2 || got.Column("m") == nil || got.Regular[0].Name != "Q" {
		t.Fatalf("%+v", got)
	}
	if s0.Version == s1.Version || s1.Version == s2.Version || s2.Version[6]>>4 != 3 {
		t.Fatal("versions", s0.Version, s1.Version, s2.Version)
	}
	if _, err := s2.Apply(Change{Kind: CreateTable, Table: tab}, 3); errText(err) != `Cannot add already existing table "b" to keyspace "k"` {
		t.Error(err)
	}
	if _, err := s2.Apply(Change{Kind: CreateKeyspace, Keyspace: exampleKeyspace()}, 3); errText(err) != `Cannot add existing keyspace "k"` {
		t.Error(err)
	}
	if _, err := s1.Apply(Change{Kind: DropTable, Table: tab}, 3); errText(err) != "Table 'k.b' doesn't exist" {
		t.Error(err)
	}
	if _, err := s0.Apply(Change{Kind: DropKeyspace, Keyspace: exampleKeyspace()}, 3); errText(err) != "Keyspace 'k' doesn't exist" {
		t.Error(err)
	}

	s3 := mustApply(t, s2, Change{Kind: Truncate, Table: tab, TruncatedAt: 77}, 3)
	if s3.Table("k", "b").TruncatedAt != 77 || s3.Table("k", "b").Epoch != 3 || s3.Version != s2.Version {
		t.Error("truncation")
	}
	alt := *s3.Table("k", "b")
	alt.Regular = alt.Regular[:1]
	alt.TruncatedAt = 0
	s4 := mustApply(t, s3, Change{Kind: AlterTable, Table: &alt}, 4)
	if x := s4.Table("k", "b"); len(x.Regular) != 1 || x.TruncatedAt != 77 || x.TruncatedEpoch != 3 || len(s3.Table("k", "b").Regular) != 5 {
		t.Error("alter")
	}
	s5 := mustApply(t, s4, Change{Kind: DropTable, Table: tab}, 5)
	if s5.Version != s1.Version || s5.TableByID(tab.ID) != nil || s5.Epoch != 5 {
		t.Error("drop")
	}
	if s6 := mustApply(t, s4, Change{Kind: DropKeyspace, Keyspace: exampleKeyspace()}, 6); s6.Version != s0.Version || s6.TableByID(tab.ID) != nil {
		t.Error("drop keyspace")
	}
}

func TestSkipColumnIDs(t *testing.T) {
	s := NewSnapshot()
	if n, err := s.SkipColumnIDs(10, 1); err != nil || n != s {
		t.Errorf("without tables: %+v, %v", n, err)
	}
	s = mustApply(t, s, Change{Kind: CreateKeyspace, Keyspace: exampleKeyspace()}, 1)
	s = mustApply(t, s, Change{Kind: CreateTable, Table: exampleTable(t)}, 2)
	s = mustApply(t, s, Change{Kind: Truncate, Table: exampleTable(t), TruncatedAt: 77}, 3)
	if n, err := s.SkipColumnIDs(0, 4); err != nil || n != s {
		t.Errorf("none: %+v, %v", n, err)
	}
	n, err := s.SkipColumnIDs(10, 4)
	if err != nil {
		t.Fatal(err)
	}
	before, after := s.Table("k", "b"), n.Table("k", "b")
	if after.NextColumnID != before.NextColumnID+10 || after.Epoch != 4 || after.TruncatedAt != 77 || n.Epoch != 4 || n.TableByID(before.ID) != after {
		t.Errorf("%+v", after)
	}
	if n.Version != s.Version {
		t.Error("to clients it is another schema")
	}
	if before.NextColumnID != exampleTable(t).NextColumnID || before.Epoch != 3 {
		t.Error("the old snapshot changed")
	}
}

func TestApplyRefusesBrokenTables(t *testing.T) {
	s := mustApply(t, NewSnapshot(), Change{Kind: CreateKeyspace, Keyspace: exampleKeyspace()}, 1)
	for name, spoil := range map[string]func(*Table){
		"no key":       func(x *Table) { x.PartitionKey = nil },
		"id twice":     func(x *Table) { x.Regular[0].ID = 1 },
		"name twice":   func(x *Table) { x.Regular[0].Name = "k" },
		"id not given": func(x *Table) { x.NextColumnID = 5 },
		"position":     func(x *Table) { x.Clustering[0].Position = 1 },
		"no type":      func(x *Table) { x.Regular[0].Type = nil },
		"dropped":      func(x *Table) { x.Dropped[0].ID = 1 },
	} {
		tab := exampleTable(t)
		spoil(tab)
		if _, err := s.Apply(Change{Kind: CreateTable, Table: tab}, 2); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestUserTypes(t *testing.T) {
	s := mustApply(t, NewSnapshot(), Change{Kind: CreateKeyspace, Keyspace: exampleKeyspace()}, 1)
	u := UDTOf("k", "u", []string{"a"}, []*Type{TypeInt}, false)
	s = mustApply(t, s, Change{Kind: CreateType, Type: u}, 2)
	tab := &Table{ID: TableID{1}, Keyspace: "k", Name: "t", NextColumnID: 3, Options: DefaultOptions(),
		PartitionKey: []*Column{{ID: 1, Name: "k", Kind: PartitionKey, Type: TypeInt}},
		Regular:      []*Column{{ID: 2, Name: "v", Kind: Regular, Position: -1, Type: ListOf(u.Freeze(), false)}}}
	s = mustApply(t, s, Change{Kind: CreateTable, Table: tab}, 3)
	if _, err := s.Apply(Change{Kind: DropType, Type: u}, 4); errText(err) != "Cannot drop user type 'k.u' as it is still used by table t" {
		t.Error(err)
	}
	s2 := mustApply(t, s, Change{Kind: AlterType, Type: UDTOf("k", "u", []string{"a", "b"}, []*Type{TypeInt, TypeText}, false)}, 5)
	if got := s2.Table("k", "t").Column("v").Type.Elem(); len(got.Fields()) != 2 || !got.Frozen() || s2.Table("k", "t").Epoch != 5 {
		t.Errorf("column has %v of %v", got, got.Fields())
	}
	if len(s.Table("k", "t").Column("v").Type.Elem().Fields()) != 1 {
		t.Error("the old snapshot changed")
	}
}

// TestDeepTypes makes types of one another until they are too deep, or too
// many, to be read back: that is refused before it is anywhere.
func TestDeepTypes(t *testing.T) {
	s := mustApply(t, NewSnapshot(), Change{Kind: CreateKeyspace, Keyspace: exampleKeyspace()}, 1)
	udt := func(name string, fields int, inner *Type) *Type {
		names, types := make([]string, fields), make([]*Type, fields)
		for i := range names {
			names[i], types[i] = fmt.Sprint("f", i), inner.Freeze()
		}
		return UDTOf("k", name, names, types, false)
	}
	wide := TypeInt
	for range 3 {
		wide = udt("wide", 100, wide)
	}
	if _, err := s.Apply(Change{Kind: CreateType, Type: wide}, 2); err == nil {
		t.Error("a type of a million was made")
	}
	deep := TypeInt
	for i := range maxTypeDepth {
		deep = udt(fmt.Sprint("u", i), 1, deep)
		s = mustApply(t, s, Change{Kind: CreateType, Type: deep}, 2)
	}
	table := func(ty *Type) *Table {
		return &Table{ID: TableID{1}, Keyspace: "k", Name: "t", NextColumnID: 3, Options: DefaultOptions(),
			PartitionKey: []*Column{{ID: 1, Name: "k", Kind: PartitionKey, Type: TypeInt}},
			Regular:      []*Column{{ID: 2, Name: "v", Kind: Regular, Position: -1, Type: ty}}}
	}
	s = mustApply(t, s, Change{Kind: CreateTable, Table: table(deep.Freeze())}, 3)
	if got, err := DecodeSnapshot(AppendSnapshot(nil, s)); err != nil || got.Version != s.Version {
		t.Fatal(err)
	}
	for what, c := range map[string]Change{
		"a type":   {Kind: CreateType, Type: udt("deeper", 1, deep)},
		"a table":  {Kind: CreateTable, Table: func() *Table { x := table(ListOf(deep, true)); x.ID, x.Name = TableID{2}, "t2"; return x }()},
		"a column": {Kind: AlterTable, Table: table(ListOf(deep, true))},
		"a field":  {Kind: AlterType, Type: udt("u0", 2, ListOf(TypeInt, true))},
	} {
		if _, err := s.Apply(c, 4); !strings.HasPrefix(errText(err), "Type is nested too deeply") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func exampleChanges(t testing.TB) []Change {
	udt := UDTOf("k", "u", []string{"a"}, []*Type{MapOf(TypeText, TypeInt, true)}, false)
	return []Change{
		{Kind: CreateKeyspace, Keyspace: exampleKeyspace()},
		{Kind: CreateType, Type: udt},
		{Kind: CreateTable, Table: exampleTable(t)},
		{Kind: Truncate, Table: exampleTable(t), TruncatedAt: 1700000000000001},
	}
}

func TestChangeGolden(t *testing.T) {
	out := ""
	for _, c := range exampleChanges(t) {
		p := AppendChange(nil, c)
		got, err := DecodeChange(p)
		if err != nil {
			t.Fatal(err)
		}
		if again := AppendChange(nil, got); string(again) != string(p) || got.Kind != c.Kind || got.TruncatedAt != c.TruncatedAt {
			t.Errorf("kind %d does not come back the same", c.Kind)
		}
		if c.Table != nil && !reflect.DeepEqual(got.Table.Options, c.Table.Options) {
			t.Errorf("options %+v, want %+v", got.Table.Options, c.Table.Options)
		}
		out += hexdump(p)
	}
	golden.Check(t, "change.txt", out)
}

func TestSnapshotCodec(t *testing.T) {
	s := NewSnapshot()
	for i, c := range exampleChanges(t) {
		s = mustApply(t, s, c, uint64(i+10))
	}
	p := AppendSnapshot(nil, s)
	got, err := DecodeSnapshot(p)
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != s.Version || got.Epoch != 13 || got.Table("k", "b").Epoch != 13 || got.Table("k", "b").TruncatedAt != 1700000000000001 || got.Table("k", "b").TruncatedEpoch != 13 {
		t.Errorf("%+v", got)
	}
	if string(AppendSnapshot(nil, got)) != string(p) {
		t.Error("a snapshot does not come back the same")
	}
	for i := range p {
		if _, err := DecodeSnapshot(p[:i]); err == nil {
			t.Fatalf("%d of %d bytes decode", i, len(p))
		}
	}
}

func TestUnknownFields(t *testing.T) {
	k := exampleKeyspace()
	k.unknown = appendField(nil, 99, false, []byte("later"))
	p := AppendChange(nil, Change{Kind: CreateKeyspace, Keyspace: k})
	c, err := DecodeChange(p)
	if err != nil || string(AppendChange(nil, c)) != string(p) {
		t.Errorf("an optional field is not kept: %v", err)
	}
	k.unknown = appendField(nil, 99, true, []byte("later"))
	if _, err := DecodeChange(AppendChange(nil, Change{Kind: CreateKeyspace, Keyspace: k})); !errors.Is(err, ErrUnknownFeature) {
		t.Errorf("a required field: %v", err)
	}
}

func FuzzDecodeChange(f *testing.F) {
	for _, c := range exampleChanges(f) {
		f.Add(AppendChange(nil, c))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		c, err := DecodeChange(p)
		if err != nil {
			return
		}
		again, err := DecodeChange(AppendChange(nil, c))
		if err != nil {
			t.Fatalf("what was decoded does not decode again: %v", err)
		}
		if _, err := NewSnapshot().Apply(again, 1); err == nil && c.Keyspace == nil {
			t.Fatal("a table without its keyspace was applied")
		}
	})
}

func FuzzDecodeSnapshot(f *testing.F) {
	s := NewSnapshot()
	for i, c := range exampleChanges(f) {
		s, _ = s.Apply(c, uint64(i))
	}
	f.Add(AppendSnapshot(nil, s))
	f.Fuzz(func(t *testing.T, p []byte) {
		if s, err := DecodeSnapshot(p); err == nil {
			if got, err := DecodeSnapshot(AppendSnapshot(nil, s)); err != nil || got.Version != s.Version {
				t.Fatalf("a snapshot does not come back: %v", err)
			}
		}
	})
}
