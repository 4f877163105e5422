package virtual

import (
	"cmp"

	"github.com/ilion-db/ilion/schema"
)

const mebibyte = 1 << 20

func pair(p [2]string) Row { return Row{"name": text(p[0]), "value": text(p[1])} }

func (r *Registry) settings(*schema.Table) []Row { return rowsOf(r.src.Settings, pair) }

func (r *Registry) properties(*schema.Table) []Row { return rowsOf(r.src.Properties, pair) }

func (r *Registry) ilion(*schema.Table) []Row {
	l := r.self()
	return []Row{
		pair([2]string{"build", l.Build}),
		pair([2]string{"cql_version", CQLVersion}),
		pair([2]string{"release_version", l.ReleaseVersion}),
		pair([2]string{"version", l.Version}),
	}
}

func (r *Registry) clients(*schema.Table) []Row {
	return rowsOf(r.src.Clients, func(c Client) Row {
		return Row{
			"address":          inet(c.Address.Addr()),
			"port":             port(c.Address),
			"client_options":   textMap(c.Options),
			"connection_stage": text(cmp.Or(c.Stage, "ready")),
			"driver_name":      textOrNull(c.DriverName),
			"driver_version":   textOrNull(c.DriverVersion),
			"hostname":         text(cmp.Or(c.Hostname, c.Address.Addr().Unmap().String())),
			"keyspace_name":    textOrNull(c.Keyspace),
			"protocol_version": int32Value(c.ProtocolVersion),
			"request_count":    bigint(c.Requests),
			"ssl_cipher_suite": textOrNull(c.TLSCipherSuite),
			"ssl_enabled":      boolean(c.TLSProtocol != ""),
			"ssl_protocol":     textOrNull(c.TLSProtocol),
			"username":         text(cmp.Or(c.Username, "anonymous")),
		}
	})
}

func (r *Registry) usage(bytes func(DiskUsage) int64) []Row {
	return rowsOf(r.src.DiskUsage, func(u DiskUsage) Row {
		return Row{
			"keyspace_name": text(u.Keyspace),
			"table_name":    text(u.Table),
			"mebibytes":     bigint((bytes(u) + mebibyte - 1) / mebibyte),
		}
	})
}

func (r *Registry) diskUsage(*schema.Table) []Row {
	return r.usage(func(u DiskUsage) int64 { return u.Bytes })
}

func (r *Registry) maxPartitionSize(*schema.Table) []Row {
	return r.usage(func(u DiskUsage) int64 { return u.LargestPartition })
}

func (r *Registry) maxSSTableSize(*schema.Table) []Row {
	return r.usage(func(u DiskUsage) int64 { return u.LargestSSTable })
}

func (r *Registry) sstableTasks(*schema.Table) []Row {
	return rowsOf(r.src.SSTableTasks, func(t SSTableTask) Row {
		ratio := 1.0
		if t.Total > 0 {
			ratio = float64(t.Progress) / float64(t.Total)
		}
		return Row{
			"keyspace_name":    text(t.Keyspace),
			"table_name":       text(t.Table),
			"task_id":          uuid(t.ID),
			"completion_ratio": double(ratio),
			"kind":             text(cmp.Or(t.Kind, "compaction")),
			"progress":         bigint(t.Progress),
			"sstables":         int32Value(t.SSTables),
			"target_directory": text(t.Directory),
			"total":            bigint(t.Total),
			"unit":             text(cmp.Or(t.Unit, "bytes")),
		}
	})
}

func (r *Registry) caches(*schema.Table) []Row {
	return rowsOf(r.src.Caches, func(c Cache) Row {
		row := Row{
			"name":                           text(c.Name),
			"capacity_bytes":                 bigint(c.CapacityBytes),
			"entry_count":                    int32Value(c.Entries),
			"hit_count":                      bigint(c.Hits),
			"recent_hit_rate_per_second":     bigint(c.RecentHitRate),
			"recent_request_rate_per_second": bigint(c.RecentRequestRate),
			"request_count":                  bigint(c.Requests),
			"size_bytes":                     bigint(c.SizeBytes),
		}
		if c.Requests > 0 {
			row["hit_ratio"] = double(float64(c.Hits) / float64(c.Requests))
		}
		return row
	})
}

func (r *Registry) threadPools(*schema.Table) []Row {
	return rowsOf(r.src.ThreadPools, func(p ThreadPool) Row {
		return Row{
			"name":                   text(p.Name),
			"active_tasks":           int32Value(p.Active),
			"active_tasks_limit":     int32Value(p.Limit),
			"blocked_tasks":          bigint(p.Blocked),
			"blocked_tasks_all_time": bigint(p.BlockedAllTime),
			"completed_tasks":        bigint(p.Completed),
			"pending_tasks":          int32Value(p.Pending),
		}
	})
}

func (r *Registry) cqlMetrics(*schema.Table) []Row {
	if r.src.Prepared == nil {
		return nil
	}
	return []Row{{"name": text("prepared_statements_count"), "value": double(float64(len(r.src.Prepared())))}}
}
