package bench

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/ilion-db/ilion/ring"
)

// levels are what reads and writes ask for.
type levels struct{ read, write ring.ConsistencyLevel }

// levels parses the settings.
func (t *Target) levels() (l levels, err error) {
	both := cmp.Or(t.Consistency, "ONE")
	if l.read, err = parseLevel(cmp.Or(t.ReadConsistency, both)); err != nil {
		return l, err
	}
	l.write, err = parseLevel(cmp.Or(t.WriteConsistency, both))
	return l, err
}

func parseLevel(name string) (ring.ConsistencyLevel, error) {
	level, ok := ring.ParseConsistency(strings.ToUpper(name))
	if ok {
		return level, nil
	}
	var known []string
	for l := ring.Any; l.Valid(); l++ {
		known = append(known, l.String())
	}
	return 0, fmt.Errorf("bench: consistency level %q is none of %s", name, strings.Join(known, ", "))
}

// check tells a level that no request of a workload can have.
func (l levels) check(reads, writes bool) error {
	if reads && l.read == ring.Any {
		return fmt.Errorf("bench: ANY is no level of reads; --write-consistency ANY gives it to writes alone")
	}
	if writes && l.write.IsSerial() {
		return fmt.Errorf("bench: %v is no level of writes without a condition; --read-consistency %[1]v gives it to reads alone", l.write)
	}
	return nil
}

// overlap tells whether a read must see what was written before. When that
// cannot be told, as of a local level on requests to any data centre, it does
// not.
func (l levels) overlap(s ring.Strategy, localDC string) bool {
	if l.write == ring.Any {
		return false
	}
	all, local := s.RF(), s.DCs[localDC]
	if len(s.DCs) == 1 {
		local = all
	}
	inDC := func(level ring.ConsistencyLevel) bool { return level.IsLocal() || level == ring.EachQuorum }
	need := func(level ring.ConsistencyLevel) int {
		if inDC(level) {
			return level.BlockFor(local)
		}
		return level.BlockFor(all)
	}
	of := all
	if inDC(l.read) && inDC(l.write) {
		of = local
	}
	return of > 0 && need(l.read)+need(l.write) > of
}
