package virtual

import "github.com/ilion-db/ilion/schema"

// optionColumnsHead and optionColumnsTail are the columns that tables and views
// have in common. Two of them mean nothing since Cassandra 4.0, but drivers
// select them by name.
const (
	optionColumnsHead = "additional_write_policy text, allow_auto_snapshot boolean, "
	optionColumnsTail = "bloom_filter_fp_chance double, caching frozen<map<text,text>>, cdc boolean, comment text, " +
		"compaction frozen<map<text,text>>, compression frozen<map<text,text>>, crc_check_chance double, " +
		"dclocal_read_repair_chance double, default_time_to_live int, extensions frozen<map<text,blob>>, gc_grace_seconds int, " +
		"id uuid, incremental_backups boolean, max_index_interval int, memtable text, memtable_flush_period_in_ms int, " +
		"min_index_interval int, read_repair text, read_repair_chance double, speculative_retry text"
)

const columnColumns = "keyspace_name text | table_name text, column_name text | clustering_order text, column_name_bytes blob, " +
	"kind text, position int, type text"

var schemaKeyspace = keyspaceDefinition{
	name:        "system_schema",
	replication: localReplication,
	options: func(o *schema.TableOptions) {
		o.GCGraceSeconds, o.MemtableFlushPeriodMs = 7*24*60*60, flushPeriodMs
	},
	tables: []definition{
		{"aggregates", "keyspace_name text | aggregate_name text, argument_types frozen<list<text>> | final_func text, initcond text, " +
			"return_type text, state_func text, state_type text", "user defined aggregate definitions"},
		{"column_masks", "keyspace_name text | table_name text, column_name text | function_argument_nulls frozen<list<boolean>>, " +
			"function_argument_types frozen<list<text>>, function_argument_values frozen<list<text>>, function_keyspace text, " +
			"function_name text", "column dynamic data masks"},
		{"columns", columnColumns, "column definitions"},
		{"dropped_columns", "keyspace_name text | table_name text, column_name text | dropped_time timestamp, kind text, type text", "dropped column registry"},
		{"functions", "keyspace_name text | function_name text, argument_types frozen<list<text>> | argument_names frozen<list<text>>, " +
			"body text, called_on_null_input boolean, language text, return_type text", "user defined function definitions"},
		{"indexes", "keyspace_name text | table_name text, index_name text | kind text, options frozen<map<text,text>>", "secondary index definitions"},
		{"keyspaces", "keyspace_name text | - | durable_writes boolean, replication frozen<map<text,text>>", "keyspace definitions"},
		{"tables", "keyspace_name text | table_name text | flags frozen<set<text>>, " + optionColumnsHead + optionColumnsTail, "table definitions"},
		{"triggers", "keyspace_name text | table_name text, trigger_name text | options frozen<map<text,text>>", "trigger definitions"},
		{"types", "keyspace_name text | type_name text | field_names frozen<list<text>>, field_types frozen<list<text>>", "user defined type definitions"},
		{"views", "keyspace_name text | view_name text | base_table_id uuid, base_table_name text, include_all_columns boolean, " +
			"where_clause text, " + optionColumnsHead + optionColumnsTail, "view definitions"},
	},
}

var virtualSchemaKeyspace = keyspaceDefinition{
	name:    "system_virtual_schema",
	virtual: true,
	tables: []definition{
		{"columns", columnColumns, "virtual column definitions"},
		{"keyspaces", "keyspace_name text | - | -", "virtual keyspace definitions"},
		{"tables", "keyspace_name text | table_name text | comment text", "virtual table definitions"},
	},
}
