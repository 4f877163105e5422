package rpc_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// FuzzConnection sends bytes to a node, in front of the hello and behind it.
// Whatever they are, the node serves the next peer.
func FuzzConnection(f *testing.F) {
	frames := wire.AppendFrame(nil, wire.Header{Op: wire.OpApply, Stream: 1}, &wire.Prologue{Epoch: 3, Left: 5}, []byte("body"))
	frames = wire.AppendFrame(frames, wire.Header{Op: wire.OpPing, Stream: 2}, &wire.Prologue{})
	frames = wire.AppendFrame(frames, wire.Header{Op: wire.OpInfo, Stream: 3}, &wire.Prologue{})
	packed, _ := wire.AppendCompressed(nil, make([]byte, 500))
	frames = wire.AppendFrame(frames, wire.Header{Op: wire.OpApply, Stream: 4, Flags: wire.FlagLZ4}, &wire.Prologue{}, packed)
	f.Add(frames, true)
	f.Add(wire.AppendFrame(nil, wire.Header{Op: wire.OpHello}, &wire.Prologue{}, peerHello(1).Append(nil)), false)
	n := &transport.Mem{}
	b := start(f, n, 2, patient)
	p := knows(start(f, n, 3, patient), b)
	f.Fuzz(func(t *testing.T, sent []byte, greeted bool) {
		c := rawDial(t, n, b.addr)
		if greeted {
			if err := c.hello(peerHello(1), nil); err != nil {
				t.Fatal(err)
			}
		}
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			_, _ = io.Copy(io.Discard, c)
		}()
		_, _ = c.Write(sent)
		c.Close()
		<-drained
		// Without a deadline a call has a minute.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if _, err := p.Call(ctx, &rpc.Message{Op: wire.OpApply, Lane: rpc.Small, Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	})
}
