package replicaread

import (
	"bytes"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/wire"
)

// ascent asserts that what a scan yields ascends over all of its pages, where
// invariant.Enabled is set. Elsewhere it is empty and costs nothing.
type ascent struct {
	at    wire.Position // of memory of its own
	begun bool
}

// partition takes in the next partition.
func (a *ascent) partition(p *mutation.Partition) {
	if !invariant.Enabled {
		return
	}
	invariant.Check(!a.begun || comparePartitions(a.at.Token, a.at.Key, p.Token, p.Key) < 0,
		"replicaread: partition %d %x follows %d %x", p.Token, p.Key, a.at.Token, a.at.Key)
	a.begun = true
	a.at = wire.Position{Place: wire.PlaceHead, Token: p.Token, Key: bytes.Clone(p.Key)}
}

// item takes in the next item of the partition. Several boundaries may lie at
// one place.
func (a *ascent) item(it *mutation.Item, reverse bool) {
	if !invariant.Enabled {
		return
	}
	place := wire.PlaceRow
	if it.Kind == mutation.ItemBoundary {
		place = wire.PlaceBoundary
	}
	c := comparePlaces(a.at.Place, a.at.Clustering, place, it.Clustering, reverse)
	invariant.Check(c < 0 || c == 0 && place == wire.PlaceBoundary, "replicaread: an item at %x follows one at %x", it.Clustering, a.at.Clustering)
	a.at.Place, a.at.Clustering = place, bytes.Clone(it.Clustering)
}
