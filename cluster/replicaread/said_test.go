package replicaread

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// TestLogOnceAMinute: what every request meets is not logged for every request.
func TestLogOnceAMinute(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		var logs [2]strings.Builder
		for i, node := range n.nodes {
			node.rd.cfg.Log = slog.New(slog.NewTextHandler(&logs[i], nil))
		}
		n.nodes[0].store.BeforeRead = func(*mutation.ReadCommand, bool) error { return fmt.Errorf("block 7: %w", mutation.ErrCorrupt) }
		damaged := func() {
			t.Helper()
			if _, err := n.read(1, n.command(), ring.All); !errors.Is(err, &native.Error{Code: native.CodeReadFailure}) {
				t.Fatal(err)
			}
		}
		tooLong := func() {
			v := &serving{rd: n.nodes[0].rd, req: &testRequest{answer: func(*rpc.Answer) {}}}
			v.store.body = make([]byte, wire.MaxBody+1)
			v.answer(nil)
		}
		for range 3 {
			damaged()
			tooLong()
		}
		clock.Real.Sleep(2 * time.Minute)
		damaged()
		tooLong()
		synctest.Wait()
		for i, lines := range [][]string{{"stored data is damaged", "a row is too long"}, {"a replica has damaged data"}} {
			for _, line := range lines {
				if got := strings.Count(logs[i].String(), line); got != 2 {
					t.Errorf("%d lines of %q", got, line)
				}
			}
			if got := strings.Count(logs[i].String(), "others=2\n"); got != len(lines) {
				t.Errorf("%d lines tell of others:\n%s", got, &logs[i])
			}
		}
	})
}
