package virtual

import (
	"math"

	"github.com/ilion-db/ilion/schema"
)

// rowsOf makes a row of each item of a source that may be nil.
func rowsOf[T any](source func() []T, row func(T) Row) []Row {
	if source == nil {
		return nil
	}
	items := source()
	out := make([]Row, len(items))
	for i, item := range items {
		out[i] = row(item)
	}
	return out
}

func (r *Registry) sizeEstimates(*schema.Table) []Row {
	return rowsOf(r.src.SizeEstimates, func(e SizeEstimate) Row {
		return Row{
			"keyspace_name":       text(e.Keyspace),
			"table_name":          text(e.Table),
			"range_start":         text(tokenText(e.Start)),
			"range_end":           text(tokenText(e.End)),
			"mean_partition_size": bigint(e.MeanPartition),
			"partitions_count":    bigint(e.Partitions),
		}
	})
}

// tableEstimates has every range twice, as Cassandra does: among all data
// centres and within the local one. The latter differs in nothing else here.
func (r *Registry) tableEstimates(t *schema.Table) []Row {
	var out []Row
	for _, kind := range []string{"primary", "local_primary"} {
		for _, row := range r.sizeEstimates(t) {
			row["range_type"] = text(kind)
			out = append(out, row)
		}
	}
	return out
}

func (r *Registry) prepared(*schema.Table) []Row {
	return rowsOf(r.src.Prepared, func(p Prepared) Row {
		return Row{
			"prepared_id":     p.ID,
			"logged_keyspace": textOrNull(p.Keyspace),
			"query_string":    text(p.Query),
		}
	})
}

func (r *Registry) compactionHistory(*schema.Table) []Row {
	return rowsOf(r.src.CompactionHistory, func(c Compaction) Row {
		row := Row{
			"id":                    uuid(c.ID),
			"bytes_in":              bigint(c.BytesIn),
			"bytes_out":             bigint(c.BytesOut),
			"columnfamily_name":     text(c.Table),
			"compacted_at":          bigint(c.At),
			"compaction_properties": textMap(c.Properties),
			"keyspace_name":         text(c.Keyspace),
		}
		if len(c.RowsMerged) > 0 {
			row["rows_merged"] = counts(c.RowsMerged)
		}
		return row
	})
}

func (r *Registry) traceSessions(*schema.Table) []Row {
	return rowsOf(r.src.TraceSessions, func(s TraceSession) Row {
		row := Row{
			"session_id":       uuid(s.ID),
			"client":           inet(s.Client),
			"command":          text(s.Command),
			"coordinator":      inet(s.Coordinator.Addr()),
			"coordinator_port": port(s.Coordinator),
			"request":          text(s.Request),
			"started_at":       bigint(s.StartedAt),
		}
		if len(s.Parameters) > 0 {
			row["parameters"] = textMap(s.Parameters)
		}
		if s.Duration >= 0 {
			row["duration"] = int32Value(clamp(s.Duration))
		}
		return row
	})
}

func (r *Registry) traceEvents(*schema.Table) []Row {
	return rowsOf(r.src.TraceEvents, func(e TraceEvent) Row {
		return Row{
			"session_id":     uuid(e.Session),
			"event_id":       uuid(e.ID),
			"activity":       text(e.Activity),
			"source":         inet(e.Source.Addr()),
			"source_elapsed": int32Value(clamp(e.Elapsed)),
			"source_port":    port(e.Source),
			"thread":         text(e.Thread),
		}
	})
}

func clamp(n int64) int32 { return int32(max(0, min(n, math.MaxInt32))) }
