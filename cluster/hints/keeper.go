package hints

import (
	"slices"
	"sync"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/journal"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

const (
	// keepEvery is how far the durable positions may lag behind: what a crash
	// has delivered again.
	keepEvery = time.Second
	// maxRefused bounds the refusals that wait for their drop to be durable.
	maxRefused = 4096
)

// keeper makes positions and drops durable and removes segments after that. One
// goroutine does the I/O.
type keeper struct {
	s    *Store
	file *stateFile // the goroutine's

	mu      sync.Mutex // protects what follows
	number  uint64     // of the last image
	drops   drops
	dirty   bool // drops are not as in the last image
	refused []refusal
	timer   clock.Timer // nil while none is pending
	err     error       // of the last write

	wake    chan struct{} // of capacity 1
	stop    chan struct{}
	done    chan struct{}
	closing sync.Once
}

// refusal is an Add whose answer waits for its drop to be durable.
type refusal struct {
	err  error
	done mutation.Completer
}

// newKeeper continues an image; nil is one that was lost.
func newKeeper(s *Store, file *stateFile, im *image) *keeper {
	k := &keeper{s: s, file: file, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	if im == nil {
		s.o.Log.Error("the hints' state cannot be read: everything since is marked for repair", "file", file.name)
		k.drops.add(Drop{Table: schema.TableID{}, Range: wholeRing, Last: ceilMinute(s.now()), Reasons: Rot})
		return k
	}
	k.number, k.drops.list = im.number, im.drops
	return k
}

// begin writes the first image if there is something to say or no file yet,
// and starts the goroutine.
func (k *keeper) begin() error {
	if k.dirty || k.file.file == nil {
		if err := k.keep(); err != nil {
			return err
		}
	}
	go k.run()
	return nil
}

func (k *keeper) run() {
	defer close(k.done)
	for {
		select {
		case <-k.wake:
			k.attempt()
		case <-k.stop:
			k.attempt()
			return
		}
	}
}

// attempt keeps the state; a failure is logged once and tried again.
func (k *keeper) attempt() {
	err := k.keep()
	k.mu.Lock()
	news := err != nil && k.err == nil
	k.err = err
	k.mu.Unlock()
	if news {
		k.s.o.Log.Error("the hints' state cannot be written", "error", err)
	}
	if err != nil {
		k.later()
	}
}

// keep writes an image, answers those who waited for it and releases the
// segments that it makes superfluous.
func (k *keeper) keep() error {
	targets := k.s.all()
	im := &image{positions: map[[16]byte]journal.Position{}}
	for _, t := range targets {
		if at, ok := t.keeping(); ok && len(im.positions) < maxPositions {
			im.positions[t.id] = at
		}
	}
	k.mu.Lock()
	k.number++
	im.number = k.number
	im.drops = slices.Clone(k.drops.list)
	refused := k.refused
	k.refused, k.dirty = nil, false
	k.mu.Unlock()
	err := k.file.write(im)
	if err != nil {
		k.mu.Lock()
		k.dirty = true
		k.mu.Unlock()
	}
	for _, r := range refused {
		r.done.Complete(r.err)
	}
	if err != nil {
		return err
	}
	for _, t := range targets {
		at, ok := im.positions[t.id]
		if !ok {
			continue
		}
		left, rerr := k.s.journal.Release(t.id, at)
		switch {
		case rerr != nil:
			err = rerr
		case !left:
			t.released(at)
		case t.empty():
			k.later() // something was being written
		}
	}
	return err
}

// note unites a drop with those there are.
func (k *keeper) note(d Drop) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.drops.add(d) {
		k.dirty = true
		signal(k.wake)
	}
}

// noteFor is note for an Add: true means that done will be told the error when
// the drop is durable, false that it is already, or that too many wait.
func (k *keeper) noteFor(d Drop, err error, done mutation.Completer) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.drops.add(d) {
		k.dirty = true
		signal(k.wake)
	}
	if !k.dirty || len(k.refused) >= maxRefused {
		return false
	}
	k.refused = append(k.refused, refusal{err, done})
	return true
}

func (k *keeper) dropped() []Drop {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.drops.list)
}

// later keeps the state in a while, for what may wait that long.
func (k *keeper) later() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.timer == nil {
		k.timer = k.s.o.Clock.AfterFunc(keepEvery, k.tick)
	}
}

func (k *keeper) tick() {
	k.mu.Lock()
	k.timer = nil
	k.mu.Unlock()
	signal(k.wake)
}

// close writes the last image and ends the goroutine.
func (k *keeper) close() error {
	k.closing.Do(func() { close(k.stop) })
	<-k.done
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.timer != nil {
		k.timer.Stop()
	}
	k.file.close()
	return k.err
}

// all returns the targets.
func (s *Store) all() []*target {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*target, 0, len(s.targets))
	for _, t := range s.targets {
		all = append(all, t)
	}
	return all
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
