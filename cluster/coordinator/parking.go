package coordinator

import (
	"sync"

	"github.com/ilion-db/ilion/internal/invariant"
)

// maxParked bounds the requests that wait for an epoch.
const maxParked = 1 << 14

// waiter is a request that cannot be planned or served until an epoch is in
// force.
type waiter interface {
	// proceed goes on; it must not wait.
	proceed()
	// giveUp ends it: the deadline has passed or too many wait.
	giveUp()
}

type parkedRequest struct {
	waiter
	until    uint64
	deadline int64 // clock.Mono nanoseconds
}

// parking holds requests that wait for an epoch, so that no goroutine does.
type parking struct {
	mu    sync.Mutex // protects what follows
	epoch uint64     // in force
	list  []parkedRequest
}

// add parks a request unless the epoch is in force already; it tells whether it
// has taken the request, which is given up if there is no room.
func (p *parking) add(w waiter, until uint64, deadline int64) bool {
	if until == 0 {
		return false
	}
	p.mu.Lock()
	if until <= p.epoch {
		p.mu.Unlock()
		return false
	}
	full := len(p.list) >= maxParked
	if !full {
		p.list = append(p.list, parkedRequest{w, until, deadline})
	}
	p.mu.Unlock()
	if full {
		w.giveUp()
	}
	return true
}

// reached lets go on what waited for epochs up to that one.
func (p *parking) reached(epoch uint64) {
	p.mu.Lock()
	invariant.Check(epoch >= p.epoch, "coordinator: the epoch in force falls")
	p.epoch = epoch
	ready := p.take(func(r *parkedRequest) bool { return r.until <= epoch })
	p.mu.Unlock()
	for i := range ready {
		ready[i].proceed()
	}
}

// expire gives up what has waited for too long.
func (p *parking) expire(now int64) {
	p.mu.Lock()
	late := p.take(func(r *parkedRequest) bool { return r.deadline <= now })
	p.mu.Unlock()
	for i := range late {
		late[i].giveUp()
	}
}

// take removes what matches. mu is held.
func (p *parking) take(match func(*parkedRequest) bool) (out []parkedRequest) {
	kept := p.list[:0]
	for i := range p.list {
		if match(&p.list[i]) {
			out = append(out, p.list[i])
		} else {
			kept = append(kept, p.list[i])
		}
	}
	clear(p.list[len(kept):])
	p.list = kept
	return out
}
