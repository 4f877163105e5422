package coordinator

import (
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
)

// A batch that is written again to replicas of which one is there and does not
// take it is done with its durable hint, at the level of all as well: else it
// would be written again for ever, and leave another hint each time.
func TestBatchWrittenAgainIsDoneByHints(t *testing.T) {
	for name, spoil := range map[string]behaviour{"refusal": failing, "no answer": slow, "broken connection": gone} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, simple("3"), threeMembers()...)
				f.peers[hostID(2)].code = wire.CodeDiskFull
				f.peers[hostID(2)].set(spoil)
				f.hints.hold = true
				r := f.row(f.key, 1)
				r.SetEpoch(f.Schema().Epoch)
				o := newOutcome()
				if err := f.TryWrite(&cluster.Write{Records: []mutation.Record{r}, Consistency: ring.All, Created: 7, Done: o}); err != nil {
					t.Fatal(err)
				}
				for steps := 0; len(f.hints.hosts()) == 0; steps++ {
					if steps == 10_000 {
						t.Fatal("no hint is written")
					}
					<-clock.Real.After(clockStep)
				}
				if o.calls.Load() != 0 {
					t.Fatal("done before the hint is durable")
				}
				f.hints.complete(0, nil)
				if err := <-o.ch; err != nil {
					t.Error(err)
				}
				f.settle()
				if hosts := f.hints.hosts(); len(hosts) != 1 || hosts[0] != hostID(2) {
					t.Errorf("hints for %v", hosts)
				}
			})
		})
	}
}
