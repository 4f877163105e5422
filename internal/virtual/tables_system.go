package virtual

import "github.com/ilion-db/ilion/schema"

// flushPeriodMs is what Cassandra shows for its local tables, an hour.
const flushPeriodMs = 3_600_000

var localReplication = map[string]string{"class": schema.LocalStrategy}

func simpleReplication(factor string) map[string]string {
	return map[string]string{"class": schema.SimpleStrategy, "replication_factor": factor}
}

var systemKeyspace = keyspaceDefinition{
	name:        "system",
	replication: localReplication,
	options: func(o *schema.TableOptions) {
		o.GCGraceSeconds, o.MemtableFlushPeriodMs = 0, flushPeriodMs
	},
	tables: []definition{
		{"IndexInfo", "table_name text | index_name text | value blob", "built column indexes"},
		{"available_ranges", "keyspace_name text | - | ranges set<blob>", "ranges ready to be served while joining"},
		{"available_ranges_v2", "keyspace_name text | - | full_ranges set<blob>, transient_ranges set<blob>", "ranges ready to be served while joining"},
		{"batches", "id timeuuid | - | mutations list<blob>, version int", "batches awaiting replay"},
		{"built_views", "keyspace_name text | view_name text | status_replicated boolean", "built views"},
		{"compaction_history", "id timeuuid | - | bytes_in bigint, bytes_out bigint, columnfamily_name text, compacted_at timestamp, " +
			"compaction_properties frozen<map<text,text>>, keyspace_name text, rows_merged map<int,bigint>", "week-long compaction history"},
		{"local", "key text | - | bootstrapped text, broadcast_address inet, broadcast_port int, cluster_name text, cql_version text, " +
			"data_center text, gossip_generation int, host_id uuid, listen_address inet, listen_port int, native_protocol_version text, " +
			"partitioner text, rack text, release_version text, rpc_address inet, rpc_port int, schema_version uuid, tokens set<text>, " +
			"truncated_at map<uuid,blob>", "information about the local node"},
		{"paxos", "row_key blob | cf_id uuid | in_progress_ballot timeuuid, in_progress_read_ballot timeuuid, most_recent_commit blob, " +
			"most_recent_commit_at timeuuid, most_recent_commit_version int, proposal blob, proposal_ballot timeuuid, proposal_version int",
			"in-progress paxos proposals"},
		{"paxos_repair_history", "keyspace_name text | table_name text | points frozen<list<frozen<tuple<blob,timeuuid>>>>", "paxos repair history"},
		{"peer_events", "peer inet | - | hints_dropped map<timeuuid,int>", "events related to peers"},
		{"peer_events_v2", "peer inet | peer_port int | hints_dropped map<timeuuid,int>", "events related to peers"},
		{"peers", "peer inet | - | data_center text, host_id uuid, preferred_ip inet, rack text, release_version text, rpc_address inet, " +
			"schema_version uuid, tokens set<text>", "information about known peers in the cluster"},
		{"peers_v2", "peer inet | peer_port int | data_center text, host_id uuid, native_address inet, native_port int, preferred_ip inet, " +
			"preferred_port int, rack text, release_version text, schema_version uuid, tokens set<text>", "information about known peers in the cluster"},
		{"prepared_statements", "prepared_id blob | - | logged_keyspace text, query_string text", "prepared statements"},
		{"repairs", "parent_id timeuuid | - | cfids set<uuid>, coordinator inet, coordinator_port int, last_update timestamp, " +
			"participants set<inet>, participants_wp set<text>, ranges set<blob>, repaired_at timestamp, started_at timestamp, state int", "repairs"},
		{"size_estimates", "keyspace_name text | table_name text, range_start text, range_end text | mean_partition_size bigint, " +
			"partitions_count bigint", "size estimates of primary ranges per table; table_estimates has more"},
		{"sstable_activity", "keyspace_name text, columnfamily_name text, generation int | - | rate_120m double, rate_15m double", "historic sstable read rates"},
		{"sstable_activity_v2", "keyspace_name text, table_name text, id text | - | rate_120m double, rate_15m double", "historic sstable read rates"},
		{"table_estimates", "keyspace_name text | table_name text, range_type text, range_start text, range_end text | " +
			"mean_partition_size bigint, partitions_count bigint", "size estimates of ranges per table"},
		{"top_partitions", "keyspace_name text | table_name text, top_type text | last_update timestamp, " +
			"top frozen<list<frozen<tuple<text,bigint>>>>", "largest partitions"},
		{"transferred_ranges", "operation text, keyspace_name text | peer inet | ranges set<blob>", "transferred ranges of streaming operations"},
		{"transferred_ranges_v2", "operation text, keyspace_name text | peer inet, peer_port int | ranges set<blob>", "transferred ranges of streaming operations"},
		{"view_builds_in_progress", "keyspace_name text | view_name text, start_token text, end_token text | keys_built bigint, " +
			"last_token text", "progress of building views"},
	},
}

var authKeyspace = keyspaceDefinition{
	name:        "system_auth",
	replication: simpleReplication("1"),
	options:     func(o *schema.TableOptions) { o.GCGraceSeconds = 90 * 24 * 60 * 60 },
	tables: []definition{
		{"cidr_groups", "cidr_group text | - | cidrs frozen<set<frozen<tuple<inet,smallint>>>>", "groups of address ranges"},
		{"cidr_permissions", "role text | - | cidr_groups frozen<set<text>>", "address ranges that roles may connect from"},
		{"identity_to_role", "identity text | - | role text", "roles of client certificates"},
		{"network_permissions", "role text | - | dcs frozen<set<text>>", "data centres that roles may connect to"},
		{"resource_role_permissons_index", "resource text | role text | -", "roles with permissions on a resource"},
		{"role_members", "role text | member text | -", "members of roles"},
		{"role_permissions", "role text | resource text | permissions set<text>", "permissions granted to roles"},
		{"roles", "role text | - | can_login boolean, is_superuser boolean, member_of set<text>, salted_hash text", "role definitions"},
	},
}

var distributedKeyspace = keyspaceDefinition{
	name:        "system_distributed",
	replication: simpleReplication("3"),
	tables: []definition{
		{"parent_repair_history", "parent_id timeuuid | - | columnfamily_names set<text>, exception_message text, exception_stacktrace text, " +
			"finished_at timestamp, keyspace_name text, options map<text,text>, requested_ranges set<text>, started_at timestamp, " +
			"successful_ranges set<text>", "repair history"},
		{"partition_denylist", "ks_name text, table_name text | key blob | -", "partition keys that are denied access"},
		{"repair_history", "keyspace_name text, columnfamily_name text | id timeuuid | coordinator inet, coordinator_port int, " +
			"exception_message text, exception_stacktrace text, finished_at timestamp, parent_id timeuuid, participants set<inet>, " +
			"participants_v2 set<text>, range_begin text, range_end text, started_at timestamp, status text", "repair history"},
		{"view_build_status", "keyspace_name text, view_name text | host_id uuid | status text", "status of building views"},
	},
}

var tracesKeyspace = keyspaceDefinition{
	name:        "system_traces",
	replication: simpleReplication("2"),
	options: func(o *schema.TableOptions) {
		o.GCGraceSeconds, o.MemtableFlushPeriodMs = 0, flushPeriodMs
	},
	tables: []definition{
		{"events", "session_id uuid | event_id timeuuid | activity text, source inet, source_elapsed int, source_port int, thread text", "tracing events"},
		{"sessions", "session_id uuid | - | client inet, command text, coordinator inet, coordinator_port int, duration int, " +
			"parameters map<text,text>, request text, started_at timestamp", "tracing sessions"},
	},
}
