package replicaread

import "github.com/ilion-db/ilion/internal/metrics"

// stats counts what a Reader has done.
type stats struct {
	unavailable *metrics.Counter
	mismatches  *metrics.Counter
	repairs     *metrics.Counter
	unrepaired  *metrics.Counter
	hedges      *metrics.Counter
	stale       *metrics.Counter
	failures    *metrics.Counter
	corrupt     *metrics.Counter
	away        *metrics.Counter
	served      *metrics.Counter
	refused     *metrics.Counter
}

func (s *stats) init(reg *metrics.Registry) {
	for _, c := range []struct {
		counter    **metrics.Counter
		name, help string
	}{
		{&s.unavailable, "unavailable", "Reads refused because too few replicas were alive."},
		{&s.mismatches, "mismatches", "Pages that replicas did not agree about."},
		{&s.repairs, "repairs", "Records sent to replicas that a read found to lack them."},
		{&s.unrepaired, "repairs_failed", "Of these, not acknowledged."},
		{&s.hedges, "speculative", "Replicas asked because others were slow."},
		{&s.stale, "stale", "Pages asked for again because owners or a schema had changed."},
		{&s.failures, "replica_failures", "Replicas that did not answer a read, or with an error."},
		{&s.corrupt, "replica_corrupt", "Of these, because what they have stored is damaged."},
		{&s.away, "away", "Reads of one partition that this node has no replica of."},
		{&s.served, "served", "Pages and digests asked for by other nodes."},
		{&s.refused, "served_refused", "Of these, answered with an error."},
	} {
		if reg == nil {
			*c.counter = metrics.NewCounter()
		} else {
			*c.counter = reg.Counter("ilion_replica_reads_"+c.name+"_total", c.help)
		}
	}
}
