package bench

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ilion-db/ilion/ring"
)

// parseReplication reads "3", the replicas of all data centres together, or
// "dc1:3,dc2:2", those of each.
func parseReplication(s string) (ring.Strategy, error) {
	bad := fmt.Errorf("bench: replication %q: must be a number of replicas, or one for each data centre as in dc1:3,dc2:2", s)
	if n, err := strconv.Atoi(s); err == nil {
		if n < 1 {
			return ring.Strategy{}, bad
		}
		return ring.Strategy{Simple: n}, nil
	}
	strategy := ring.Strategy{DCs: map[string]int{}}
	for part := range strings.SplitSeq(s, ",") {
		dc, factor, _ := strings.Cut(part, ":")
		n, err := strconv.Atoi(factor)
		if _, twice := strategy.DCs[dc]; err != nil || n < 1 || dc == "" || twice || strings.ContainsAny(dc, "'\\") {
			return ring.Strategy{}, bad
		}
		strategy.DCs[dc] = n
	}
	return strategy, nil
}

// replicationCQL is the replication of a keyspace as CQL has it.
func replicationCQL(s ring.Strategy) string {
	if s.DCs == nil {
		return fmt.Sprintf("{'class': 'SimpleStrategy', 'replication_factor': %d}", s.Simple)
	}
	var b strings.Builder
	b.WriteString("{'class': 'NetworkTopologyStrategy'")
	for _, dc := range slices.Sorted(maps.Keys(s.DCs)) {
		fmt.Fprintf(&b, ", '%s': %d", dc, s.DCs[dc])
	}
	b.WriteString("}")
	return b.String()
}

func sameReplication(a, b ring.Strategy) bool {
	if a.DCs == nil || b.DCs == nil {
		return a.DCs == nil && b.DCs == nil && a.Simple == b.Simple
	}
	return maps.Equal(a.DCs, b.DCs)
}
