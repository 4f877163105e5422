package node_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
)

// TestMetadataCannotBeWritten has the disk of one node of three refuse what the
// metadata log writes: the node waits for space, and ends over any other error,
// since it could follow nothing any more.
func TestMetadataCannotBeWritten(t *testing.T) {
	inRing(t, 2, func(r *testRing) {
		r.disks, r.nodes = append(r.disks, vfs.NewMem()), append(r.nodes, nil)
		disk := vfs.NewFault(r.disks[2], nil)
		if err := r.try(2, func(o *node.Options) { o.FS = disk }); err != nil {
			t.Fatal(err)
		}
		r.settle()
		create := func(name string) {
			t.Helper()
			r.must(0, ring.One, "CREATE KEYSPACE "+name+" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
		}
		sees := func(name string) int {
			t.Helper()
			n, err := r.count(2, ring.One, "SELECT * FROM system_schema.keyspaces WHERE keyspace_name = ?", name)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		refuses := vfs.Rule{Ops: vfs.OpsOf(vfs.OpCreate, vfs.OpWrite), Glob: "/data/metadata/*", Times: -1, Err: vfs.ErrNoSpace}
		full := disk.Add(refuses)
		create("a")
		r.pause(time.Minute)
		if full.Fired() == 0 || sees("a") != 0 {
			t.Fatalf("refused %d writes, and yet the keyspace is there", full.Fired())
		}
		full.Remove()
		r.eventually(func() error {
			if sees("a") != 1 {
				return errors.New("the node does not go on when there is space")
			}
			return nil
		})
		refuses.Err = vfs.ErrIO
		disk.Add(refuses)
		create("b")
		select {
		case <-r.nodes[2].Failed():
		case <-time.After(time.Minute):
			t.Fatal("the node goes on without following the log")
		}
		if err := r.nodes[2].FailedErr(); !errors.Is(err, metadata.ErrStopped) || !errors.Is(err, vfs.ErrIO) {
			t.Error(err)
		}
	})
}
