package coordinator

import "github.com/ilion-db/ilion/internal/metrics"

// Stats counts what a Cluster has done since it was made.
type Stats struct {
	Unavailable   *metrics.Counter // writes refused because too few replicas were alive
	Timeouts      *metrics.Counter // writes answered as time-outs
	Failures      *metrics.Counter // writes answered as failures
	Overloaded    *metrics.Counter // writes refused because too many were in flight
	Stale         *metrics.Counter // writes planned again, their topology or schema was old
	Newer         *metrics.Counter // writes that met a newer server stamp on a replica
	StoreFailures *metrics.Counter // writes that this node's store refused
	Hints         *metrics.Counter // records kept for replicas that did not answer
	HintsLost     *metrics.Counter // records that could not be kept
	BatchesKept   *metrics.Counter // batches whose keepers could not be told that they are done
	Untold        *metrics.Counter // writes sent on whose coordinator could not be told of it
	Away          *metrics.Counter // writes of one partition that this node has no replica of
	Served        *metrics.Counter // writes of other coordinators, and hints of this node for itself
	Refused       *metrics.Counter // of these, refused
	Named         *metrics.Counter // records of these that name their coordinator
	Late          *metrics.Counter // times a record of a hint or a batch was left out, see late
}

func (s *Stats) init() {
	for _, c := range []**metrics.Counter{
		&s.Unavailable, &s.Timeouts, &s.Failures, &s.Overloaded, &s.Stale, &s.Newer,
		&s.StoreFailures, &s.Hints, &s.HintsLost, &s.BatchesKept, &s.Untold, &s.Away, &s.Served, &s.Refused, &s.Named, &s.Late,
	} {
		*c = metrics.NewCounter()
	}
}

// Stats returns the counters, to be read at any time.
func (c *Cluster) Stats() *Stats { return &c.stats }

// InFlight is how many bytes of writes are being coordinated or served.
func (c *Cluster) InFlight() int64 { return c.pool.used.Load() }
