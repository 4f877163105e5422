package bench

import (
	"context"
	"fmt"
)

// seriesStart is the time of the first reading, in milliseconds since 1970.
const seriesStart = 1_700_000_000_000

// seriesPlan is of timeseries: readings, newest first.
func seriesPlan(c *Config) plan {
	ks, columns := c.Target.Keyspace, columnList("c", c.Data.Columns)
	return plan{
		table: fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s.series (key bigint, at timestamp, %s, PRIMARY KEY (key, at)) WITH CLUSTERING ORDER BY (at DESC)",
			ks, typed(columns, "blob")),
		statements: []text{{cql: insertInto(ks, "series", "key, at, "+columns)}},
		worker:     func(w *worker) operation { return (&seriesWorker{worker: w}).write },
	}
}

type seriesWorker struct {
	*worker
	at []byte
}

// write writes the next reading, one series after the other.
func (w *seriesWorker) write(ctx context.Context) (kind, error) {
	n, series := w.next.Add(1)-1, partitions(&w.cfg.Data)
	w.key = bigint(w.key, n%series)
	w.at = bigint(w.at, seriesStart+n/series*1000)
	w.bind(n, w.key, w.at)
	return writeKind, w.send(ctx, 0, nil)
}
