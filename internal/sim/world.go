package sim

import (
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
)

// World is machines, their network and the time they share. It lives inside a
// testing/synctest bubble.
type World struct {
	Clock    clock.Clock
	Rand     *rand.Source
	Net      *Network
	Machines []*Machine
	seed     uint64
}

// epoch is when a world begins: a bubble's time begins in the year 2000, which
// expiry times and certificates do not expect.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// New returns a world of machines that are switched off. All chance in it
// comes from the seed.
func New(seed uint64, machines int) *World {
	if d := epoch.Sub(clock.Real.Now()); d > 0 {
		clock.Real.Sleep(d)
	}
	c := simClock{clock.Real, clock.Real.Now()}
	w := &World{Clock: c, Rand: rand.NewSeeded(seed), Net: newNetwork(c, seed), seed: seed}
	for i := range machines {
		w.Machines = append(w.Machines, newMachine(w, i))
	}
	return w
}
