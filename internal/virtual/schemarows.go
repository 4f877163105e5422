package virtual

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// schemaUnits are the pieces of a table that describes the schema, or nil for
// another table. A piece is what one keyspace or one table gives.
func (r *Registry) schemaUnits(t *schema.Table) []unit {
	switch t.Keyspace {
	case schemaKeyspace.name:
		list := keyspacesByToken(r.merge(r.src.Schema()).shown)
		switch t.Name {
		case "keyspaces":
			return each(list, keyspaceRow)
		case "types":
			return each(list, typeRows)
		case "tables":
			return eachTable(list, newTableRows(t).append)
		case "columns":
			return eachTable(list, columnRows)
		case "dropped_columns":
			return eachTable(list, droppedRows)
		}
	case virtualSchemaKeyspace.name:
		list := virtualKeyspaces()
		switch t.Name {
		case "keyspaces":
			return each(list, func(ks *schema.Keyspace, rows [][][]byte) [][][]byte { return append(rows, [][]byte{text(ks.Name)}) })
		case "tables":
			return eachTable(list, virtualTableRow)
		case "columns":
			return eachTable(list, columnRows)
		}
	}
	return nil
}

func each(list []*schema.Keyspace, fill func(*schema.Keyspace, [][][]byte) [][][]byte) []unit {
	out := []unit{}
	for _, ks := range list {
		out = append(out, func(rows [][][]byte) [][][]byte { return fill(ks, rows) })
	}
	return out
}

// eachTable has a unit for each table, by name within its keyspace. Rows of a
// keyspace share the bytes of its name.
func eachTable(list []*schema.Keyspace, fill func(ks []byte, t *schema.Table, rows [][][]byte) [][][]byte) []unit {
	out := []unit{}
	for _, ks := range list {
		name := text(ks.Name)
		for _, table := range slices.Sorted(maps.Keys(ks.Tables)) {
			t := ks.Tables[table]
			out = append(out, func(rows [][][]byte) [][][]byte { return fill(name, t, rows) })
		}
	}
	return out
}

// keyspacesByToken are the keyspaces that system_schema shows.
func keyspacesByToken(s *schema.Snapshot) []*schema.Keyspace {
	type place struct {
		token ring.Token
		ks    *schema.Keyspace
	}
	var places []place
	for _, ks := range s.Keyspaces {
		if !ks.Virtual {
			places = append(places, place{ring.Murmur3([]byte(ks.Name)), ks})
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.token, b.token), cmp.Compare(a.ks.Name, b.ks.Name))
	})
	out := make([]*schema.Keyspace, len(places))
	for i, p := range places {
		out[i] = p.ks
	}
	return out
}

func virtualKeyspaces() []*schema.Keyspace {
	shown := definitions().shown
	return []*schema.Keyspace{shown[viewsKeyspace.name], shown[virtualSchemaKeyspace.name]}
}

func keyspaceRow(ks *schema.Keyspace, rows [][][]byte) [][][]byte {
	return append(rows, [][]byte{text(ks.Name), boolean(ks.DurableWrites), textMap(ks.Replication)})
}

func typeRows(ks *schema.Keyspace, rows [][][]byte) [][][]byte {
	for _, name := range slices.Sorted(maps.Keys(ks.Types)) {
		t := ks.Types[name]
		types := make([]string, len(t.Elems()))
		for i, e := range t.Elems() {
			types[i] = e.String()
		}
		rows = append(rows, [][]byte{text(ks.Name), text(name), list(t.Fields()), list(types)})
	}
	return rows
}

func virtualTableRow(ks []byte, t *schema.Table, rows [][][]byte) [][][]byte {
	return append(rows, [][]byte{ks, text(t.Name), text(t.Options.Comment)})
}

// Values that rows of columns share.
var (
	kindValues = [...][]byte{schema.PartitionKey: []byte("partition_key"), schema.Clustering: []byte("clustering"),
		schema.Static: []byte("static"), schema.Regular: []byte("regular")}
	orderNone, orderAsc, orderDesc = []byte("none"), []byte("asc"), []byte("desc")
	noPosition                     = int32Value(-1)
)

// columnRows fills by position, since a schema has many columns: keyspace_name,
// table_name, column_name, clustering_order, column_name_bytes, kind, position,
// type.
func columnRows(ks []byte, t *schema.Table, rows [][][]byte) [][][]byte {
	const width = 8
	cols := t.Columns()
	slices.SortFunc(cols, func(a, b *schema.Column) int { return cmp.Compare(a.Name, b.Name) })
	values := make([][]byte, 0, width*len(cols))
	table := text(t.Name)
	for _, c := range cols {
		name, order, position := text(c.Name), orderNone, noPosition
		if c.Kind == schema.Clustering {
			order = orderAsc
			if c.Desc {
				order = orderDesc
			}
		}
		if c.Position >= 0 {
			position = int32Value(int32(c.Position))
		}
		n := len(values)
		values = append(values, ks, table, name, order, name, kindValues[c.Kind], position, text(c.Type.String()))
		rows = append(rows, values[n:n+width:n+width])
	}
	return rows
}

// droppedRows has, of columns that were dropped more than once, the last drop.
func droppedRows(ks []byte, t *schema.Table, rows [][][]byte) [][][]byte {
	last := map[string]*schema.DroppedColumn{}
	for i := range t.Dropped {
		d := &t.Dropped[i]
		if old := last[d.Name]; old == nil || old.DroppedAt <= d.DroppedAt {
			last[d.Name] = d
		}
	}
	for _, name := range slices.Sorted(maps.Keys(last)) {
		d := last[name]
		rows = append(rows, [][]byte{ks, text(t.Name), text(name), bigint(d.DroppedAt / 1000), kindValues[d.Kind], text(d.Type.String())})
	}
	return rows
}

// tableRows fills system_schema.tables, finding columns by name.
type tableRows struct {
	index map[string]int
}

func newTableRows(def *schema.Table) *tableRows {
	f := &tableRows{index: map[string]int{}}
	for i, c := range def.Columns() {
		f.index[c.Name] = i
	}
	return f
}

var (
	flagsPlain   = list([]string{"compound"})
	flagsCounter = list([]string{"compound", "counter"})
	zeroDouble   = double(0)
)

func (f *tableRows) append(ks []byte, t *schema.Table, rows [][][]byte) [][][]byte {
	row := make([][]byte, len(f.index))
	set := func(name string, v []byte) { row[f.index[name]] = v }
	o := &t.Options
	set("keyspace_name", ks)
	set("table_name", text(t.Name))
	set("additional_write_policy", text(o.AdditionalWritePolicy))
	set("bloom_filter_fp_chance", double(o.BloomFilterFPChance))
	set("caching", textMap(o.Caching))
	set("comment", text(o.Comment))
	set("compaction", textMap(o.Compaction))
	set("compression", textMap(o.Compression))
	set("crc_check_chance", double(o.CRCCheckChance))
	set("dclocal_read_repair_chance", zeroDouble)
	set("default_time_to_live", int32Value(o.DefaultTTL))
	set("extensions", textMap(o.Extensions))
	set("flags", flagsPlain)
	if isCounter(t) {
		set("flags", flagsCounter)
	}
	set("gc_grace_seconds", int32Value(o.GCGraceSeconds))
	set("id", uuid(t.ID))
	set("max_index_interval", int32Value(o.MaxIndexInterval))
	set("memtable_flush_period_in_ms", int32Value(o.MemtableFlushPeriodMs))
	set("min_index_interval", int32Value(o.MinIndexInterval))
	set("read_repair", text(o.ReadRepair))
	set("read_repair_chance", zeroDouble)
	set("speculative_retry", text(o.SpeculativeRetry))
	f.appendRare(o, set)
	return append(rows, row)
}

// appendRare sets what Cassandra leaves null unless it differs from the
// default.
func (f *tableRows) appendRare(o *schema.TableOptions, set func(string, []byte)) {
	if !o.AllowAutoSnapshot {
		set("allow_auto_snapshot", boolean(false))
	}
	if !o.IncrementalBackups {
		set("incremental_backups", boolean(false))
	}
	if o.CDC {
		set("cdc", boolean(true))
	}
	if o.Memtable != "default" {
		set("memtable", text(o.Memtable))
	}
}

func isCounter(t *schema.Table) bool {
	return slices.ContainsFunc(t.Regular, func(c *schema.Column) bool { return c.Type.Kind() == schema.KindCounter })
}
