package session

import (
	"runtime/debug"

	"github.com/ilion-db/ilion/internal/invariant"
)

// The handler may have left anything behind when it panicked, so the
// connection ends and the request's bytes are never reused. An assertion that
// has failed ends the process.

func (c *Conn) recoverReader() {
	p := recover()
	if p == nil {
		return
	}
	c.panicked(p, c.in.trying)
	c.in.trying = nil
	c.retireAll(c.in.done.take())
	c.retireAll(c.in.group.take())
}

func (c *Conn) recoverWriter() {
	p := recover()
	if p == nil {
		return
	}
	e := &c.enc
	c.panicked(p, e.encoding)
	e.encoding = nil
	c.countOut()
	c.drop(e.rest.take())
	c.mu.Lock()
	c.writing = false
	c.mu.Unlock()
	c.poke()
}

// panicked counts and logs a panic, closes the connection and abandons r. A
// failed assertion is passed on, before any lock is taken.
func (c *Conn) panicked(p any, r *Request) {
	invariant.PassOn(p, c.srv.log)
	c.srv.stats.Panics.Add(1)
	c.srv.log.Error("a request panicked; its connection is closed", "panic", p, "client", c.remote, "stack", string(debug.Stack()))
	c.abort()
	if r != nil && r.chunk != nil {
		r.chunk.Taint()
		r.chunk.Release()
		r.chunk = nil
	}
}
