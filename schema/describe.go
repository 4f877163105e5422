package schema

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// CreateStatement is the CREATE KEYSPACE of the keyspace as DESCRIBE prints it.
func (k *Keyspace) CreateStatement() string {
	if k.Virtual {
		return "/*\nWarning: Keyspace " + QuoteName(k.Name) + " is a virtual keyspace and cannot be recreated with CQL.\n" +
			"Structure, for reference:\nVIRTUAL KEYSPACE " + QuoteName(k.Name) + ";\n*/"
	}
	return fmt.Sprintf("CREATE KEYSPACE %s WITH replication = %s  AND durable_writes = %t;",
		QuoteName(k.Name), k.replicationText(), k.DurableWrites)
}

// CreateStatement is the CREATE TABLE of the table as DESCRIBE prints it; with
// internals it has the table's id and its dropped columns too.
func (t *Table) CreateStatement(internals bool) string {
	var b strings.Builder
	name := QuoteName(t.Keyspace) + "." + QuoteName(t.Name)
	reference := t.Virtual && isVirtualKeyspace(t.Keyspace)
	if reference {
		fmt.Fprintf(&b, "/*\nWarning: Table %s is a virtual table and cannot be recreated with CQL.\nStructure, for reference:\nVIRTUAL TABLE %s (\n", name, name)
	} else {
		fmt.Fprintf(&b, "CREATE TABLE %s (\n", name)
	}
	t.describeColumns(&b, internals)
	b.WriteString(") WITH ")
	if internals && !reference {
		b.WriteString("ID = " + UUID(t.ID).String() + "\n    AND ")
	}
	if order := t.clusteringOrder(); order != "" {
		b.WriteString("CLUSTERING ORDER BY (" + order + ")\n    AND ")
	}
	if reference {
		b.WriteString("comment = " + QuoteText(t.Options.Comment) + ";\n*/")
		return b.String()
	}
	b.WriteString(strings.Join(t.Options.describe(), "\n    AND "))
	b.WriteByte(';')
	if internals {
		t.describeDrops(&b, name)
	}
	return b.String()
}

// isVirtualKeyspace tells whether Cassandra too has no storage for the
// keyspace. The tables of the others that a node computes print as if stored.
func isVirtualKeyspace(name string) bool {
	return name == "system_views" || name == "system_virtual_schema"
}

func (t *Table) clusteringOrder() string {
	parts := make([]string, len(t.Clustering))
	for i, c := range t.Clustering {
		parts[i] = QuoteName(c.Name) + " ASC"
		if c.Desc {
			parts[i] = QuoteName(c.Name) + " DESC"
		}
	}
	return strings.Join(parts, ", ")
}

// describeColumns prints the columns, those of many cells after those of one,
// and the primary key.
func (t *Table) describeColumns(b *strings.Builder, internals bool) {
	line := func(c *Column, suffix string) {
		fmt.Fprintf(b, "    %s %s%s", QuoteName(c.Name), c.Type, suffix)
	}
	if len(t.PartitionKey) == 1 && len(t.Clustering) == 0 {
		line(t.PartitionKey[0], " PRIMARY KEY")
		for _, c := range t.describeOrder()[1:] {
			b.WriteString(",\n")
			line(c, "")
		}
		t.describeDroppedColumns(b, internals)
		b.WriteByte('\n')
		return
	}
	for _, c := range t.describeOrder() {
		suffix := ""
		if c.Kind == Static {
			suffix = " static"
		}
		line(c, suffix)
		b.WriteString(",\n")
	}
	if internals {
		for i := range t.Dropped {
			b.WriteString("    " + t.Dropped[i].text() + ",\n")
		}
	}
	keys := columnNames(t.PartitionKey)
	if len(t.PartitionKey) > 1 {
		keys = "(" + keys + ")"
	}
	if len(t.Clustering) > 0 {
		keys += ", " + columnNames(t.Clustering)
	}
	fmt.Fprintf(b, "    PRIMARY KEY (%s)\n", keys)
}

func (t *Table) describeDroppedColumns(b *strings.Builder, internals bool) {
	if !internals {
		return
	}
	for i := range t.Dropped {
		b.WriteString(",\n    " + t.Dropped[i].text())
	}
}

func (d *DroppedColumn) text() string {
	s := QuoteName(d.Name) + " " + d.Type.String()
	if d.Kind == Static {
		s += " static"
	}
	return s
}

func (t *Table) describeDrops(b *strings.Builder, name string) {
	for i := range t.Dropped {
		d := &t.Dropped[i]
		fmt.Fprintf(b, "\nALTER TABLE %s DROP %s USING TIMESTAMP %d;", name, QuoteName(d.Name), d.DroppedAt)
		if t.Column(d.Name) != nil {
			fmt.Fprintf(b, "\nALTER TABLE %s ADD %s;", name, t.readdText(d.Name))
		}
	}
}

func (t *Table) readdText(name string) string {
	c := t.Column(name)
	s := QuoteName(name) + " " + c.Type.String()
	if c.Kind == Static {
		s += " static"
	}
	return s
}

func columnNames(cols []*Column) string {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = QuoteName(c.Name)
	}
	return strings.Join(names, ", ")
}

func (t *Table) describeOrder() []*Column {
	out := append([]*Column{}, t.PartitionKey...)
	out = append(out, t.Clustering...)
	for _, cols := range [][]*Column{t.Static, t.Regular} {
		for _, many := range []bool{false, true} {
			for _, c := range cols {
				if c.Type.IsMultiCell() == many {
					out = append(out, c)
				}
			}
		}
	}
	return out
}

// describe lists the options as "name = value" in DESCRIBE's order.
func (o *TableOptions) describe() []string {
	ext := make(map[string]string, len(o.Extensions))
	for k, v := range o.Extensions {
		ext[k] = "0x" + hex.EncodeToString(v)
	}
	return []string{
		"additional_write_policy = " + QuoteText(o.AdditionalWritePolicy),
		"allow_auto_snapshot = " + strconv.FormatBool(o.AllowAutoSnapshot),
		"bloom_filter_fp_chance = " + JavaDouble(o.BloomFilterFPChance),
		"caching = " + mapText(o.Caching, true),
		"cdc = " + strconv.FormatBool(o.CDC),
		"comment = " + QuoteText(o.Comment),
		"compaction = " + mapText(o.Compaction, true),
		"compression = " + mapText(o.Compression, true),
		"memtable = " + QuoteText(o.Memtable),
		"crc_check_chance = " + JavaDouble(o.CRCCheckChance),
		fmt.Sprintf("default_time_to_live = %d", o.DefaultTTL),
		"extensions = " + mapText(ext, false),
		fmt.Sprintf("gc_grace_seconds = %d", o.GCGraceSeconds),
		"incremental_backups = " + strconv.FormatBool(o.IncrementalBackups),
		fmt.Sprintf("max_index_interval = %d", o.MaxIndexInterval),
		fmt.Sprintf("memtable_flush_period_in_ms = %d", o.MemtableFlushPeriodMs),
		fmt.Sprintf("min_index_interval = %d", o.MinIndexInterval),
		"read_repair = " + QuoteText(o.ReadRepair),
		"speculative_retry = " + QuoteText(o.SpeculativeRetry),
	}
}

func mapText(m map[string]string, quote bool) string {
	parts := make([]string, 0, len(m))
	for _, k := range sortedKeys(m) {
		v := m[k]
		if quote {
			v = QuoteText(v)
		}
		parts = append(parts, QuoteText(k)+": "+v)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// CreateStatement is the CREATE TYPE of a user-defined type.
func (t *Type) CreateStatement() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TYPE %s.%s (\n", QuoteName(t.keyspace), QuoteName(t.name))
	for i, f := range t.fields {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, "    %s %s", QuoteName(f), t.elems[i])
	}
	b.WriteString("\n);")
	return b.String()
}
