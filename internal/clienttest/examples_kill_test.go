//go:build clients || long

package clienttest

import (
	"fmt"
	"testing"
)

// TestExamplesKilled kills the server under each application while it loads.
// The application goes on when the server is back, and has all its rows in the
// end. The server dies by itself, at a number of writes of its log: each has at
// most a row of each of the loader's 32 workers, so that no loader is so fast
// that it is done before the last kill.
func TestExamplesKilled(t *testing.T) {
	const workers = 32
	if exampleKills*exampleKillAfter*workers >= exampleRows {
		t.Fatal("the loader may be done before the last kill")
	}
	for _, name := range examples {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, serverOptions{tags: "failpoints"})
			mustRun(t, application(t, s, name, "-rows", "0")) // makes the schema
			s.stop()
			// It dies before a frame is written, or before it is durable.
			points := []string{"commitlog/write", "commitlog/sync"}
			launch := func(kills int) {
				s.o.env = nil
				if kills < exampleKills {
					s.o.env = []string{fmt.Sprintf("ILION_FAILPOINTS=%s=kill:%d", points[kills%len(points)], exampleKillAfter)}
				}
				s.launch()
			}
			launch(0)
			s.awaitReady()
			rows := fmt.Sprint(exampleRows)
			loader := application(t, s, name, "-rows", rows)
			var out syncBuffer
			loader.Stdout, loader.Stderr = &out, &out
			if err := loader.Start(); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- loader.Wait() }()
			for kills := 0; ; {
				select {
				case err := <-done:
					if err != nil {
						t.Fatalf("loader: %v\n%s", err, out.String())
					}
					if kills != exampleKills {
						t.Errorf("the server died %d times, not %d", kills, exampleKills)
					}
					mustRun(t, application(t, s, name, "-rows", rows, "-verify"))
					return
				case <-s.done:
					if kills++; kills > exampleKills {
						s.cmd = nil
						t.Fatal("the server ended by itself")
					}
					launch(kills)
				}
			}
		})
	}
}
