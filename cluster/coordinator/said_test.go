package coordinator

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/wire"
)

// What cannot be read of another node is not logged for every request.
func TestLogOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		f := bareFixture(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) }, memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
		f.create(simple("2"))
		serve := func() {
			for _, op := range []wire.Op{wire.OpApply, wire.OpBatchStore} {
				a := f.asks(f.row(f.key, 1))
				a.op, a.body = op, a.body[:3]
				f.serve(a)
				if got := a.code(t); got != wire.CodeInvalid {
					t.Fatalf("%v: %v", op, got)
				}
			}
		}
		for range 3 {
			serve()
		}
		clock.Real.Sleep(2 * time.Minute)
		serve()
		for _, line := range []string{"a write of another node cannot be read", "a batch of another node cannot be read"} {
			if got := strings.Count(log.String(), line); got != 2 {
				t.Errorf("%d lines of %q", got, line)
			}
		}
		if got := strings.Count(log.String(), "others=2\n"); got != 2 {
			t.Errorf("%d lines tell of others:\n%s", got, &log)
		}
	})
}
