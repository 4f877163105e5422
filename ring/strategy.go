package ring

import (
	"fmt"
	"strconv"
	"strings"
)

// Strategy says how many replicas a keyspace has and where.
type Strategy struct {
	// Simple is the number of replicas under SimpleStrategy, which looks at
	// neither data centres nor racks. It is not read if DCs is set.
	Simple int
	// DCs is the number of replicas by data centre under
	// NetworkTopologyStrategy, nil under SimpleStrategy.
	DCs map[string]int
}

// ParseStrategy reads a replication map as a keyspace has it: the class, short
// or with its Java package, and numbers of replicas. LocalStrategy places
// nothing and is refused like a class that nobody knows.
func ParseStrategy(replication map[string]string) (Strategy, error) {
	class := replication["class"]
	switch class[strings.LastIndexByte(class, '.')+1:] {
	case "SimpleStrategy":
		n, err := parseFactor("replication_factor", replication["replication_factor"])
		return Strategy{Simple: n}, err
	case "NetworkTopologyStrategy":
		s := Strategy{DCs: map[string]int{}}
		for dc, factor := range replication {
			if dc == "class" {
				continue
			}
			n, err := parseFactor(dc, factor)
			if err != nil {
				return Strategy{}, err
			}
			s.DCs[dc] = n
		}
		return s, nil
	}
	return Strategy{}, fmt.Errorf("ring: replication class %q places no replicas", class)
}

func parseFactor(name, factor string) (int, error) {
	n, err := strconv.Atoi(factor)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("ring: replication option %s: %q is no number of replicas", name, factor)
	}
	return n, nil
}

// RF is the number of replicas in all data centres together, which may be more
// than there are nodes.
func (s Strategy) RF() int {
	if s.DCs == nil {
		return s.Simple
	}
	sum := 0
	for _, n := range s.DCs {
		sum += n
	}
	return sum
}

// replicas appends to dst the nodes of r that hold t.
func (s Strategy) replicas(r *Ring, dst []int, t Token) []int {
	if s.DCs == nil {
		return r.SimpleReplicas(dst, t, s.Simple)
	}
	return r.NetworkReplicas(dst, t, s.DCs)
}
