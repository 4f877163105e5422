package bench

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
)

// progressLine is the line that a phase rewrites each second.
type progressLine struct {
	out        io.Writer
	name       string        // of the phase, may be empty
	length     time.Duration // 0 when operations say how long
	operations int64
}

// show writes the line until stop is closed, and ends it then.
func (l *progressLine) show(done *atomic.Int64, stop <-chan struct{}) {
	tick := clock.Real.NewTicker(time.Second)
	defer tick.Stop()
	start := clock.Real.Mono()
	var last int64
	for shown := false; ; shown = true {
		select {
		case <-stop:
			if shown {
				fmt.Fprintln(l.out)
			}
			return
		case <-tick.C():
			n := done.Load()
			io.WriteString(l.out, l.text(n, n-last, clock.Real.Mono()-start))
			last = n
		}
	}
}

// text is the line with n requests done, of them in the last second so many.
func (l *progressLine) text(n, second int64, elapsed time.Duration) string {
	share, of := n*100/max(l.operations, 1), fmt.Sprint(l.operations)
	if l.length > 0 {
		share, of = int64(elapsed*100/l.length), l.length.String()
	}
	name := l.name
	if name != "" {
		name += ": "
	}
	return fmt.Sprintf("\r%s%d operations, %d/s, %d %% of %s   ", name, n, second, min(share, 100), of)
}
