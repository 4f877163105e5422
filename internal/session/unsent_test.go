package session

import (
	"bytes"
	"strconv"
	"testing"
)

// TestUnsentOfAll lets one client take nothing of many answers, and another all
// of one that is larger than both limits.
func TestUnsentOfAll(t *testing.T) {
	for name, cfg := range map[string]Config{
		"own":   {MaxUnsent: 8 << 20, TotalUnsent: 1 << 30},
		"total": {MaxUnsent: 1 << 30, TotalUnsent: 8 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFakeHandler()
			s := startServer(t, cfg, h)
			deaf, good := connect(t, s, 4), connect(t, s, 4)
			const answers, size = 60, 1 << 20
			var held []*Request
			for i := range int16(answers) {
				deaf.query(i, "hold")
				held = append(held, <-h.held)
			}
			for _, r := range held {
				h.echo(r, bytes.Repeat([]byte{'b'}, size))
				r.Complete(nil)
			}
			eventually(t, func() bool { return s.Stats().SlowClients.Load() > 0 })
			const large = 20 << 20
			good.query(1, "big "+strconv.Itoa(large))
			if a := good.recv(); len(a.value()) != large {
				t.Errorf("%d bytes of %d", len(a.value()), large)
			}
			eventually(t, func() bool { return s.UnsentBytes() == 0 && s.Stats().Connections.Load() == 1 })
		})
	}
}
