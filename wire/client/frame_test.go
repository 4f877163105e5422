package client_test

import (
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/client"
	"github.com/ilion-db/ilion/wire/rpc"
)

// mute starts a node that takes executions and answers none.
func mute(t *testing.T, net *transport.Mem) *rpc.Endpoint {
	t.Helper()
	topology := wire.Topology{Epoch: 1, Hosts: []wire.Host{{ID: [16]byte{1}, Address: address(0), DC: "dc", Up: true}}}
	e, err := rpc.New(rpc.Config{
		Clock: clock.Real, Transport: net, Rand: rand.NewSeeded(1), Log: slog.New(slog.DiscardHandler),
		Hello: func(wire.Purpose) wire.Hello { return wire.Hello{HostID: [16]byte{1}, Lowest: 1, Highest: 1} },
		Handlers: map[wire.Op]rpc.Handler{
			wire.OpTopology: func(r *rpc.Request) { r.Reply(topology.Append(nil)) },
			wire.OpPrepare:  func(r *rpc.Request) { r.Reply((&wire.Prepared{}).Append(nil)) },
			wire.OpExecute:  func(*rpc.Request) {},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen(address(0))
	if err != nil {
		t.Fatal(err)
	}
	go e.Serve(l)
	return e
}

// later is a clock whose Mono is positive in a bubble, too, where time starts in
// the past.
type later struct{ clock.Clock }

func (c later) Mono() time.Duration { return c.Clock.Mono() + 100*365*24*time.Hour }

// ended is a Receiver that notes when it was told.
type ended struct {
	at   time.Time
	err  error
	done chan struct{}
}

func (r *ended) Receive(_ *client.Rows, err error) {
	r.at, r.err = time.Now(), err
	close(r.done)
}

// A statement is given up when its own time is over, whatever that of others is
// which are asked at the same moment.
func TestTimeoutsOfOneMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &transport.Mem{}
		defer mute(t, net).Close()
		s, err := client.Connect(t.Context(), client.Config{Hosts: []string{address(0)}, Transport: net, Clock: later{clock.Real}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		st, err := s.Prepare(t.Context(), "any")
		if err != nil {
			t.Fatal(err)
		}
		limits := []time.Duration{time.Minute, time.Second, 10 * time.Second, time.Second, time.Minute, 10 * time.Second}
		began := time.Now()
		var all []*ended
		for _, limit := range limits {
			r := &ended{done: make(chan struct{})}
			if err := s.Send(st.Query().SetTimeout(limit), r); err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
		for i, r := range all {
			<-r.done
			// Time is virtual here.
			if took := r.at.Sub(began); !errors.Is(r.err, client.ErrTimeout) || took < limits[i] || took > limits[i]+100*time.Millisecond {
				t.Errorf("a statement of %v: %v after %v", limits[i], r.err, took)
			}
		}
	})
}
