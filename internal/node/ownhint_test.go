package node_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
)

// TestFullNodeCatchesUp has a node coordinate writes that its own store refuses,
// since its disk is nearly full. When there is room it has them, by hints for
// itself: nobody has read from it.
func TestFullNodeCatchesUp(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		r.must(2, ring.All, insert, 0, "before")
		disk := r.disks[2]
		if err := vfs.WriteFileAtomic(disk, "/filler", make([]byte, 32<<20)); err != nil {
			t.Fatal(err)
		}
		u, err := disk.DiskUsage("/")
		if err != nil {
			t.Fatal(err)
		}
		disk.SetCapacity(int64(u.Total-u.Free) / 96 * 100) // writes are refused from 95 on
		r.eventually(func() error {
			if err := r.do(2, ring.All, insert, 0, "refused"); err == nil {
				return errors.New("the store of a full node takes writes")
			}
			return nil
		})
		for i := 1; i <= 20; i++ {
			r.must(2, ring.Quorum, insert, i, "during")
		}
		pending := func() (int, error) { return r.count(2, ring.One, "SELECT * FROM system_views.pending_hints") }
		r.eventually(func() error { // a quorum does not wait for the hint
			n, err := pending()
			if err == nil && n != 1 {
				err = fmt.Errorf("the full node has hints for %d nodes", n)
			}
			return err
		})
		disk.SetCapacity(0)
		r.eventually(func() error {
			n, err := pending()
			if err == nil && n > 0 {
				err = fmt.Errorf("hints for %d nodes wait", n)
			}
			return err
		})
		r.kill(0)
		r.kill(1)
		r.eventually(func() error {
			if n, err := r.count(2, ring.One, "SELECT * FROM ks.t"); err != nil || n != 21 {
				return fmt.Errorf("the node that was full has %d rows of 21: %v", n, err)
			}
			return nil
		})
	})
}
