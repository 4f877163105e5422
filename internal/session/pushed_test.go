package session

import (
	"net"
	"testing"

	"github.com/ilion-db/ilion/cql/native"
)

// TestEventsThatPileUp lets a client that registered for events read none:
// maxPushed of them wait, and one more ends its connection.
func TestEventsThatPileUp(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	near, far := net.Pipe() // no buffer: what is not read is not written
	defer near.Close()
	s.ServeConn(far)
	c := &client{t: t, nc: near, version: 4}
	c.startup()
	c.recv()
	c.send(1, native.OpRegister, []byte("\x00\x01\x00\x0dSCHEMA_CHANGE"))
	c.recv()
	push := func() {
		s.Push(&native.Event{Kind: native.SchemaChangeEvents, Schema: native.SchemaChange{
			Change: native.ChangeDropped, Target: native.TargetKeyspace, Keyspace: "gone",
		}})
	}
	deaf := s.snapshot()[0]
	push()
	eventually(t, func() bool { return deaf.pushed.Load() == 0 }) // the writer has it, and waits for the client
	for range maxPushed {
		push()
	}
	if n, slow := deaf.pushed.Load(), s.Stats().SlowClients.Load(); n != maxPushed || slow != 0 || deaf.isDead() {
		t.Errorf("%d events wait, %d clients are too slow, dead %v", n, slow, deaf.isDead())
	}
	push()
	eventually(t, func() bool { return s.Stats().Connections.Load() == 0 })
	if slow := s.Stats().SlowClients.Load(); slow != 1 {
		t.Errorf("%d clients are too slow", slow)
	}
}
