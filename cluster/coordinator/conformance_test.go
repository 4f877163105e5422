package coordinator

import (
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/cql/native"
)

var errAny = native.Invalid("ANY ConsistencyLevel is only supported for writes")

func TestConformanceOfOneNode(t *testing.T) {
	clustertest.Cluster(t, func(t *testing.T) cluster.Cluster {
		return bareFixture(t, func(*Config) {}, memberAt(0, "dc1", "r1"))
	})
}
