package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/ring"
)

// TestReadRepairsDeletions has a node miss deletions that no hint is kept of:
// a read brings it the one of what it asks for, and no other.
func TestReadRepairsDeletions(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		for k := 1; k <= 2; k++ {
			r.must(0, ring.All, insert, k, "there")
		}
		for i := range 2 {
			r.stop(i)
			if err := r.try(i, func(o *node.Options) { o.Config.HintWindow = time.Millisecond }); err != nil {
				r.t.Fatal(err)
			}
		}
		r.settle()
		r.kill(2)
		for k := 1; k <= 2; k++ {
			r.eventually(func() error { return r.do(0, ring.Quorum, "DELETE FROM ks.t WHERE k = ?", k) })
		}
		r.pause(time.Minute) // hints are too old
		r.start(2)
		r.settle()
		r.want(0, ring.All, 0, "SELECT v FROM ks.t WHERE k = ?", 1)
		r.kill(0)
		r.kill(1)
		for k, rows := range map[int]int{1: 0, 2: 1} {
			r.eventually(func() error {
				n, err := r.count(2, ring.One, "SELECT v FROM ks.t WHERE k = ?", k)
				if err == nil && n != rows {
					err = fmt.Errorf("row %d of the node that was away is there %d times, not %d", k, n, rows)
				}
				return err
			})
		}
	})
}
