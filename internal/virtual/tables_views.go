package virtual

const latencyColumns = "keyspace_name text, table_name text | - | count bigint, max_ms double, p50th_ms double, p99th_ms double, per_second double"

const sizeColumns = "keyspace_name text, table_name text | - | mebibytes bigint"

var viewsKeyspace = keyspaceDefinition{
	name:    "system_views",
	virtual: true,
	tables: []definition{
		{"caches", "name text | - | capacity_bytes bigint, entry_count int, hit_count bigint, hit_ratio double, " +
			"recent_hit_rate_per_second bigint, recent_request_rate_per_second bigint, request_count bigint, size_bytes bigint", "system caches"},
		{"clients", "address inet | port int | client_options frozen<map<text,text>>, connection_stage text, driver_name text, " +
			"driver_version text, hostname text, keyspace_name text, protocol_version int, request_count bigint, ssl_cipher_suite text, " +
			"ssl_enabled boolean, ssl_protocol text, username text", "currently connected clients"},
		{"coordinator_read_latency", latencyColumns, ""},
		{"coordinator_scan_latency", latencyColumns, ""},
		{"coordinator_write_latency", latencyColumns, ""},
		{"cql_metrics", "name text | - | value double", "metrics specific to CQL prepared statement caching"},
		{"disk_usage", sizeColumns, ""},
		{"gossip_info", "address inet | port int | dc text, generation int, heartbeat int, hostname text, host_id text, " +
			"internal_address_and_port text, load text, native_address_and_port text, net_version text, rack text, release_version text, " +
			"rpc_address text, rpc_ready text, schema text, status text, status_with_port text", "lists the gossip information for the cluster"},
		{"ilion", "name text | - | value text", "version and build of this node"},
		{"local_read_latency", latencyColumns, ""},
		{"local_scan_latency", latencyColumns, ""},
		{"local_write_latency", latencyColumns, ""},
		{"max_partition_size", sizeColumns, ""},
		{"max_sstable_size", sizeColumns, ""},
		{"pending_hints", "host_id uuid | - | address inet, corrupted_files int, dc text, files int, newest timestamp, oldest timestamp, " +
			"port int, rack text, status text, total_corrupted_files_size bigint, total_size bigint", "Pending hints that this node has for other nodes"},
		{"settings", "name text | - | value text", "current settings"},
		{"sstable_tasks", "keyspace_name text | table_name text, task_id timeuuid | completion_ratio double, kind text, progress bigint, " +
			"sstables int, target_directory text, total bigint, unit text", "current sstable tasks"},
		{"system_properties", "name text | - | value text", "properties of the process that matter to the node"},
		{"thread_pools", "name text | - | active_tasks int, active_tasks_limit int, blocked_tasks bigint, blocked_tasks_all_time bigint, " +
			"completed_tasks bigint, pending_tasks int", ""},
	},
}
