//go:build clients || long

package clienttest

import (
	"fmt"
	"testing"
	"time"
)

// TestExamplesKilled kills the server under each application while it loads.
// The application goes on when the server is back, and has all its rows in the
// end.
func TestExamplesKilled(t *testing.T) {
	for _, name := range examples {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, serverOptions{})
			rows := fmt.Sprint(exampleRows)
			loader := application(t, s, name, "-rows", rows)
			var out syncBuffer
			loader.Stdout, loader.Stderr = &out, &out
			if err := loader.Start(); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- loader.Wait() }()
			// The moment of a kill is a matter of chance anyway: what counts
			// is that the loader is at work.
			tick := time.NewTicker(exampleKillEvery)
			defer tick.Stop()
			for kills := 0; ; {
				select {
				case err := <-done:
					if err != nil {
						t.Fatalf("loader: %v\n%s", err, out.String())
					}
					t.Logf("killed %d times", kills)
					if kills == 0 {
						t.Error("the loader was done before the first kill")
					}
					mustRun(t, application(t, s, name, "-rows", rows, "-verify"))
					return
				case <-tick.C:
					if kills < exampleKills {
						s.kill()
						s.start()
						kills++
					}
				}
			}
		})
	}
}
