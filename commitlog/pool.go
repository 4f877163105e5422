package commitlog

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/vfs"
)

// spaceRetry is how long a full disk is left alone before the next try.
const spaceRetry = time.Second

// pool owns the segments: those that hold records, those to be used again, and
// the goroutine that prepares them. Each lane holds one prepared spare, which
// is also the reserve when the disk is full.
//
// Lock order: lane.mu before pool.mu.
type pool struct {
	log  *Log
	wake chan struct{}
	stop chan struct{}
	done sync.WaitGroup

	noSpace atomic.Bool // no spare could be prepared, the disk is full

	mu       sync.Mutex // protects what follows
	live     []*segment // in order of seq
	size     int64      // bytes of live
	free     []*segment // discarded, of the right size, at most MaxFree
	doomed   []*segment // discarded, to be looked after by the goroutine
	nextSeq  uint64
	nextSlot uint32
	mark     uint64 // segments below are not needed
	pressure uint64 // nextSeq when OnPressure was last looked at
}

// activate gives a prepared segment its number. The lane's lock is held.
func (p *pool) activate(s *segment) {
	p.mu.Lock()
	s.seq = p.nextSeq
	p.nextSeq++
	p.live = append(p.live, s)
	p.size += s.size
	p.mu.Unlock()
	signal(p.wake)
}

// discard notes that no record in a segment below seq is needed.
func (p *pool) discard(seq uint64) {
	p.mu.Lock()
	further := seq > p.mark
	if further {
		p.mark = seq
		p.sweep()
	}
	p.mu.Unlock()
	if further {
		signal(p.wake)
	}
}

// sweep moves segments that are not needed out of live. p.mu is held. A
// segment that a lane or an unwritten frame still uses stays until the next time.
func (p *pool) sweep() {
	keep := p.live[:0]
	for _, s := range p.live {
		if s.seq < p.mark && s.refs.Load() == 0 {
			p.doomed = append(p.doomed, s)
			p.size -= s.size
			continue
		}
		keep = append(keep, s)
	}
	clear(p.live[len(keep):])
	p.live = keep
}

// run prepares spares and clears away what was discarded until stop.
func (p *pool) run() {
	defer p.done.Done()
	retry := p.log.opts.Clock.AfterFunc(spaceRetry, func() { signal(p.wake) })
	defer retry.Stop()
	for {
		if err := p.work(retry); err != nil {
			p.log.fail(err)
		}
		select {
		case <-p.wake:
		case <-p.stop:
			return
		}
	}
}

// work does all there is to do. An error is final.
func (p *pool) work(retry clock.Timer) error {
	if err := p.clear(); err != nil {
		return err
	}
	p.tellPressure()
	if p.log.failure.Load() != nil {
		return nil
	}
	p.mu.Lock()
	next := p.nextSeq
	p.mu.Unlock()
	for _, l := range p.log.lanes {
		l.letGo(next)
		if l.hasSpare() {
			continue
		}
		s, err := p.prepare(l.id, p.log.opts.SegmentSize)
		switch {
		case errors.Is(err, vfs.ErrNoSpace):
			p.noSpace.Store(true)
			p.log.counters.noSpace.Add(1)
			for _, l := range p.log.lanes {
				l.wakeBlocked()
			}
			retry.Reset(spaceRetry)
			return nil
		case err != nil:
			return err
		}
		p.noSpace.Store(false)
		l.giveSpare(s)
	}
	return nil
}

// prepare makes a segment ready for frames: a discarded one if there is one.
// size is that of a new file.
func (p *pool) prepare(lane uint16, size int) (*segment, error) {
	incarnation := p.log.opts.Rand.Uint64()
	p.mu.Lock()
	var old *segment
	if n := len(p.free); n > 0 {
		old = p.free[n-1]
		p.free = p.free[:n-1]
	}
	slot := p.nextSlot
	if old == nil {
		p.nextSlot++
	}
	p.mu.Unlock()
	if old != nil {
		s, err := p.log.reuseSegment(old, lane, incarnation)
		if err != nil {
			if old.file != nil {
				err = errors.Join(err, old.file.Close())
				old.file = nil
			}
			p.mu.Lock()
			p.doomed = append(p.doomed, old)
			p.mu.Unlock()
			return nil, err
		}
		p.log.counters.recycled.Add(1)
		return s, nil
	}
	s, err := p.log.createSegment(slot, size, header{
		version: FormatVersion, lane: lane, incarnation: incarnation, uses: 1,
	})
	if err == nil {
		p.log.counters.created.Add(1)
	}
	return s, err
}

// clear closes the files of full segments and disposes of discarded ones.
func (p *pool) clear() error {
	p.mu.Lock()
	p.sweep()
	doomed := p.doomed
	p.doomed = nil
	var idle []vfs.File
	for _, s := range p.live {
		if s.refs.Load() == 0 && s.file != nil {
			idle = append(idle, s.file)
			s.file = nil
		}
	}
	p.mu.Unlock()
	for _, f := range idle {
		if err := f.Close(); err != nil {
			return err
		}
	}
	for _, s := range doomed {
		if err := p.dispose(s); err != nil {
			return err
		}
	}
	return nil
}

// dispose keeps a discarded segment for use again, sets it aside or removes it.
func (p *pool) dispose(s *segment) error {
	o := &p.log.opts
	if !s.aside && s.size == int64(o.SegmentSize) {
		p.mu.Lock()
		kept := len(p.free) < o.MaxFree
		if kept {
			p.free = append(p.free, s)
		}
		p.mu.Unlock()
		if kept {
			return nil
		}
	}
	if s.file != nil {
		if err := s.file.Close(); err != nil {
			return err
		}
	}
	name := o.path(segmentName(s.slot))
	if s.aside {
		if err := o.FS.Rename(name, name+setAsideSuffix); err != nil {
			return fmt.Errorf("commitlog: set segment aside: %w", err)
		}
		return o.FS.SyncDir(o.Dir)
	}
	// If the removal is undone by a crash, the low-water mark keeps its records out.
	if err := o.FS.Remove(name); err != nil {
		return fmt.Errorf("commitlog: remove segment: %w", err)
	}
	return nil
}

// tellPressure calls OnPressure once for each new segment while there are too many.
func (p *pool) tellPressure() {
	o := &p.log.opts
	p.mu.Lock()
	tell := p.size > o.MaxSize && p.nextSeq != p.pressure && len(p.live) > 0
	size := p.size
	var oldest uint64
	if tell {
		oldest = p.live[0].seq
		p.pressure = p.nextSeq
	}
	p.mu.Unlock()
	if tell && o.OnPressure != nil {
		o.OnPressure(oldest, size)
	}
}

// closeFiles closes every file. Nothing runs any more.
func (p *pool) closeFiles() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	for _, list := range [][]*segment{p.live, p.free, p.doomed} {
		for _, s := range list {
			if s.file != nil {
				err = errors.Join(err, s.file.Close())
				s.file = nil
			}
		}
	}
	return err
}

// signal wakes the receiver of a channel with one slot.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
