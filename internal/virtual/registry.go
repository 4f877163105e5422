package virtual

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/schema"
)

// Registry has the tables of one node. Safe for concurrent use.
type Registry struct {
	src    Sources
	tables map[string]filler // by "keyspace.table"; what is missing is empty
	merged atomic.Pointer[merged]
}

// filler makes the rows of a table, in any order.
type filler func(r *Registry, t *schema.Table) []Row

// merged is a schema of the users with the definitions of this package.
type merged struct {
	user, planned, shown *schema.Snapshot
}

// New returns the tables over the sources.
func New(src Sources) *Registry {
	if src.Topology == nil {
		src.Topology = func() *cluster.Topology { return &cluster.Topology{} }
	}
	return &Registry{src: src, tables: fillers}
}

// fillers are the tables that are small. Those of the schema are made one
// partition at a time, see schemaUnits.
var fillers = map[string]filler{
	"system.local":                    (*Registry).local,
	"system.peers":                    (*Registry).peers,
	"system.peers_v2":                 (*Registry).peersV2,
	"system.size_estimates":           (*Registry).sizeEstimates,
	"system.table_estimates":          (*Registry).tableEstimates,
	"system.prepared_statements":      (*Registry).prepared,
	"system.compaction_history":       (*Registry).compactionHistory,
	"system_traces.sessions":          (*Registry).traceSessions,
	"system_traces.events":            (*Registry).traceEvents,
	"system_views.caches":             (*Registry).caches,
	"system_views.clients":            (*Registry).clients,
	"system_views.cql_metrics":        (*Registry).cqlMetrics,
	"system_views.disk_usage":         (*Registry).diskUsage,
	"system_views.max_partition_size": (*Registry).maxPartitionSize,
	"system_views.max_sstable_size":   (*Registry).maxSSTableSize,
	"system_views.gossip_info":        (*Registry).gossip,
	"system_views.ilion":              (*Registry).ilion,
	"system_views.pending_hints":      (*Registry).pendingHints,
	"system_views.settings":           (*Registry).settings,
	"system_views.sstable_tasks":      (*Registry).sstableTasks,
	"system_views.system_properties":  (*Registry).properties,
	"system_views.thread_pools":       (*Registry).threadPools,
}

// Table is a table with its rows.
type Table struct {
	// Def is the definition that statements are planned against, with Virtual
	// set; Shown is the one that DESCRIBE prints.
	Def, Shown *schema.Table

	registry *Registry
}

// Rows opens the rows of the table, see Registry.Rows.
func (t *Table) Rows(ctx context.Context) (exec.RowSource, error) { return t.registry.Rows(ctx, t.Def) }

// Lookup returns a table, or nil if there is none of that name.
func (r *Registry) Lookup(keyspace, table string) *Table {
	c := definitions()
	ks := c.planned[keyspace]
	if ks == nil || ks.Tables[table] == nil {
		return nil
	}
	return &Table{Def: ks.Tables[table], Shown: c.shown[keyspace].Tables[table], registry: r}
}

// Snapshot is the users' schema with the definitions of this package, of the
// same epoch and version. For one user schema it is the same pointer until
// another one is asked for, and the definitions are the same pointers always.
// TableByID finds the users' tables only.
func (r *Registry) Snapshot(user *schema.Snapshot) *schema.Snapshot { return r.merge(user).planned }

// Described is Snapshot with the definitions as DESCRIBE prints them: tables
// that are not virtual in Cassandra are not marked so. Statements must not be
// planned against it.
func (r *Registry) Described(user *schema.Snapshot) *schema.Snapshot { return r.merge(user).shown }

func (r *Registry) merge(user *schema.Snapshot) *merged {
	if m := r.merged.Load(); m != nil && m.user == user {
		return m
	}
	c := definitions()
	m := &merged{user: user, planned: withKeyspaces(user, c.planned), shown: withKeyspaces(user, c.shown)}
	r.merged.Store(m)
	return m
}

func withKeyspaces(user *schema.Snapshot, system map[string]*schema.Keyspace) *schema.Snapshot {
	s := *user
	s.Keyspaces = maps.Clone(user.Keyspaces)
	maps.Copy(s.Keyspaces, system)
	return &s
}

// Rows opens the rows of a table that Lookup or Snapshot gave. The context
// ends the source early, with its error.
func (r *Registry) Rows(ctx context.Context, t *schema.Table) (exec.RowSource, error) {
	if ks := definitions().planned[t.Keyspace]; ks == nil || ks.Tables[t.Name] == nil {
		return nil, fmt.Errorf("virtual: no table %s.%s", t.Keyspace, t.Name)
	}
	if units := r.schemaUnits(t); units != nil {
		return &source{ctx: ctx, units: units}, nil
	}
	name := t.Keyspace + "." + t.Name
	var rows []Row
	if fill := r.tables[name]; fill != nil {
		rows = fill(r, t)
	}
	if more := r.src.More[name]; more != nil {
		rows = append(rows, more()...)
	}
	return &source{ctx: ctx, rows: arrange(t, rows)}, nil
}
