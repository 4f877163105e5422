package session

import (
	"context"
	"net"
	"testing"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/invariant"
)

// failing is a handler in which an assertion fails, under a mutex that is left
// locked.
type failing struct{ *fakeHandler }

func (failing) TryExecute(r *Request) Status { return failUnder(r) }

func (failing) Execute(_ context.Context, r *Request) Status { return failUnder(r) }

func failUnder(r *Request) Status {
	r.Conn.mu.Lock()
	invariant.Check(false, "asked to")
	return Done
}

// A failed assertion gets past every place that recovers from panics, and waits
// for no mutex on its way.
func TestAssertionsArePassedOn(t *testing.T) {
	s, err := New(patient(Config{Log: quiet()}), failing{newFakeHandler()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, run := range map[string]func(r *Request){
		"reader": func(r *Request) {
			defer r.Conn.recoverReader()
			failUnder(r)
		},
		"writer": func(r *Request) {
			defer r.Conn.recoverWriter()
			failUnder(r)
		},
		"worker":            func(r *Request) { s.workers.execute(r) },
		"worker of a group": func(r *Request) { s.workers.tryGroup(r) },
		"who resumes":       func(r *Request) { r.Resume(failUnder) },
	} {
		t.Run(name, func(t *testing.T) {
			here, there := net.Pipe()
			defer here.Close()
			defer there.Close()
			r := newRequest(newConn(s, 1, here), native.Header{Version: native.V4, Opcode: native.OpQuery}, int64(s.clock.Mono()))
			defer func() {
				err, ok := recover().(error)
				if !ok || err.Error() != "bug: asked to" {
					t.Errorf("what gets through is %v", err)
				}
				if n := s.Stats().Panics.Load(); n != 0 {
					t.Errorf("%d panics are counted as those of requests", n)
				}
			}()
			run(r)
		})
	}
}
