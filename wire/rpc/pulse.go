package rpc

import (
	"github.com/ilion-db/ilion/wire"
)

const (
	// silentTicks is after how many ticks without input a connection is closed;
	// a ping goes out after the first.
	silentTicks = 4
	// clientPatience is how much longer that takes with clients.
	clientPatience = 30
	// idleTicks is after how many ticks without a message a connection for
	// packets is closed.
	idleTicks = 120
)

// patience says how many ticks of the sweeper are one of the connection.
type patience struct{ scale int }

func patienceOf(p wire.Purpose) patience {
	if p == wire.PurposeClient {
		return patience{clientPatience}
	}
	return patience{1}
}

// pulse is what the sweeper knows of a connection. Time is counted in its
// ticks, so that a process that was stopped, or has no CPU, does not take its
// peers for dead when it goes on.
type pulse struct {
	received uint64
	quiet    int // ticks without input
	written  uint64
	stuck    int  // ticks inside of one write
	blocked  bool // in a write at the last tick
	idle     int  // ticks without a packet to send
}

// sweep is the goroutine that looks after all connections.
func (e *Endpoint) sweep() {
	defer e.wg.Done()
	t := e.cfg.Clock.NewTicker(e.cfg.Limits.Heartbeat)
	defer t.Stop()
	var all []*conn
	for {
		select {
		case <-t.C():
		case <-e.ctx.Done():
			return
		}
		all = e.appendConns(all[:0])
		for i, c := range all {
			c.tick()
			all[i] = nil
		}
	}
}

// tick is called once in each Heartbeat.
func (c *conn) tick() {
	p := &c.pulse
	if now := c.received.Load(); now != p.received {
		p.received, p.quiet = now, 0
	} else {
		p.quiet++
	}
	blocked := c.inWrite.Load()
	switch now := c.written.Load(); {
	case now != p.written:
		if p.written, p.stuck = now, 0; p.blocked {
			p.quiet = 0 // a write that had to wait went on: the other side reads
		}
	case blocked:
		p.stuck++
	}
	p.blocked = blocked
	if p.idle++; c.sent.Swap(false) {
		p.idle = 0
	}
	limits := &c.e.cfg.Limits
	switch {
	case p.quiet >= silentTicks*c.scale && !c.paused():
		c.e.stats.Silent.Add(1)
		c.fail(c.e.failure())
	case int64(p.stuck)*int64(limits.Heartbeat) >= int64(limits.WriteTimeout):
		c.e.stats.Silent.Add(1)
		c.e.noise.warn("closed a connection that takes no bytes", c.remote, errStuck)
		c.fail(c.e.failure())
	case p.idle >= idleTicks && c.other.Purpose == wire.PurposeGossip && !c.accepted:
		c.fail(c.e.failure())
	case p.quiet >= c.firstPing() && p.quiet%c.scale == 0:
		c.ping()
	}
}

// firstPing is after how many quiet ticks the other side is asked. Who accepted
// a peer's connection waits longer: usually the peer asks first.
func (c *conn) firstPing() int {
	if c.accepted && c.scale == 1 {
		return 2
	}
	return c.scale
}

// paused tells whether the reader waits for the other side to take its answers:
// then nothing is read.
func (c *conn) paused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.waiting || c.in.writing
}

// ping asks for a sign of life, unless something else is on its way.
func (c *conn) ping() {
	c.mu.Lock()
	busy := c.out.bytes > 0
	c.mu.Unlock()
	if busy {
		return
	}
	_ = c.push(&frame{op: wire.OpPing}, 0, nil, false)
}
