package gossip

import (
	"testing"
	"time"
)

func TestDeathAndRestart(t *testing.T) {
	for _, n := range []int{3, 9} {
		form(t, n, func(t *testing.T, r *ring) {
			r.stop(n - 1)
			t.Logf("a death is known after %v", r.until("death", r.all(n-2)))
			r.start(n - 1)
			t.Logf("a restart is known after %v", r.until("restart", r.all(n-1)))
			// A restart before its death is known is Down and Up at once.
			r.stop(n - 1)
			r.start(n - 1)
			t.Logf("a quick restart is known after %v", r.until("quick restart", func() bool {
				for _, o := range r.nodes[:n-1] {
					o.mu.Lock()
					m := o.up[r.nodes[n-1].host]
					o.mu.Unlock()
					if !m.Up || m.Boot != 3 {
						return false
					}
				}
				return true
			}))
			time.Sleep(time.Minute)
			if !r.all(n - 1)() {
				t.Error("what was said of the process before is heard")
			}
		})
	}
}
