package bench

import (
	"testing"

	"github.com/ilion-db/ilion/ring"
)

func TestOverlap(t *testing.T) {
	one := ring.Strategy{Simple: 3}
	two := ring.Strategy{DCs: map[string]int{"dc1": 3, "dc2": 3}}
	for _, tc := range []struct {
		read, write string
		placed      ring.Strategy
		dc          string
		want        bool
	}{
		{"ONE", "ONE", ring.Strategy{Simple: 1}, "", true},
		{"ONE", "ONE", one, "", false},
		{"QUORUM", "QUORUM", one, "", true},
		{"ONE", "ALL", one, "", true},
		{"ALL", "ANY", one, "", false},
		{"TWO", "TWO", one, "", true},
		{"LOCAL_QUORUM", "LOCAL_QUORUM", one, "dc1", false}, // the replicas may be anywhere
		{"LOCAL_QUORUM", "LOCAL_QUORUM", ring.Strategy{DCs: map[string]int{"dc1": 3}}, "", true},
		{"QUORUM", "QUORUM", two, "", true},
		{"LOCAL_QUORUM", "LOCAL_QUORUM", two, "", false},
		{"LOCAL_QUORUM", "LOCAL_QUORUM", two, "dc1", true},
		{"LOCAL_QUORUM", "EACH_QUORUM", two, "dc1", true},
		{"LOCAL_ONE", "EACH_QUORUM", two, "dc1", false},
		{"QUORUM", "LOCAL_QUORUM", two, "dc1", false},
		{"ALL", "LOCAL_ONE", two, "dc1", true},
	} {
		target := Target{ReadConsistency: tc.read, WriteConsistency: tc.write}
		l, err := target.levels()
		if err != nil {
			t.Fatal(err)
		}
		if got := l.overlap(tc.placed, tc.dc); got != tc.want {
			t.Errorf("%s after %s on %v from %q: %v", tc.read, tc.write, tc.placed, tc.dc, got)
		}
	}
}
