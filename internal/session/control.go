package session

import (
	"github.com/ilion-db/ilion/cql/native"
)

// control handles what concerns the connection itself. All but OPTIONS are
// barriers. False ends the connection.
func (c *Conn) control(r *Request, body []byte) bool {
	if r.Opcode == native.OpOptions {
		c.charge(r, frameCost)
		r.reply.kind = replySupported
		c.answer(r, nil)
		return true
	}
	if !c.idle() {
		r.recycle()
		return false
	}
	c.charge(r, frameCost)
	var err error
	switch r.Opcode {
	case native.OpStartup:
		err = c.startup(r, body)
	case native.OpAuthResponse:
		err = c.authenticate(r, body)
	case native.OpRegister:
		var kinds native.EventKinds
		if kinds, err = native.DecodeRegister(body); err == nil {
			c.events.Store(c.events.Load() | uint32(kinds))
			r.reply.kind = replyReady
		}
	}
	framed := r.reply.starts && err == nil && r.Version >= native.V5
	c.answer(r, err)
	if !c.idle() {
		return false
	}
	c.in.framed = c.in.framed || framed
	return true
}

// startup settles what the connection speaks.
func (c *Conn) startup(r *Request, body []byte) error {
	options, err := native.DecodeStartup(body)
	if err != nil {
		return err
	}
	if options[native.OptionCQLVersion] == "" {
		return native.Protocol("Missing value CQL_VERSION in STARTUP message")
	}
	compression, err := native.ParseCompression(options[native.OptionCompression], r.Version)
	if err != nil {
		return err
	}
	throw := options[native.OptionThrowOnOverload]
	c.throw = throw == "1" || throw == "true"
	c.compression = compression
	c.options.Store(&options)
	r.reply.starts = true
	if c.srv.cfg.Auth {
		c.phase.Store(phaseAuth)
		r.reply.kind = replyAuthenticate
		return nil
	}
	c.phase.Store(phaseReady)
	r.reply.kind = replyReady
	return nil
}

// authenticate checks a token. Without authentication any is good.
func (c *Conn) authenticate(r *Request, body []byte) error {
	token, err := native.DecodeAuthResponse(body)
	if err != nil {
		return err
	}
	if c.srv.cfg.Auth {
		user, err := c.srv.handler.Authenticate(c.srv.ctx, c, token)
		if err != nil {
			c.srv.stats.AuthFailures.Add(1)
			return err
		}
		c.user.Store(&user)
	}
	c.phase.Store(phaseReady)
	r.reply.kind = replyAuthSuccess
	return nil
}

// respondError answers a frame that did not become a request.
func (c *Conn) respondError(h native.Header, e *native.Error, closes bool) {
	r := newRequest(c, h, c.in.now)
	c.charge(r, frameCost)
	r.reply.closes = closes
	c.answer(r, e)
}

// linger sends what is to be sent, says that no more will come and waits a
// little for the client to hang up: closing at once, with input unread, would
// make the client's system throw the last answer away.
func (c *Conn) linger() {
	if !c.idle() {
		return
	}
	cw, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || cw.CloseWrite() != nil {
		return
	}
	t := c.srv.clock.AfterFunc(lingerTime, func() { c.nc.Close() })
	defer t.Stop()
	buf := new([64]byte)
	for range lingerReads {
		if _, err := c.nc.Read(buf[:]); err != nil {
			return
		}
	}
}
