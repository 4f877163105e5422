package clock

import "time"

// Clock tells and awaits time. Implementations are safe for concurrent use.
type Clock interface {
	// Now is the wall clock. It may jump in either direction.
	Now() time.Time
	// Mono is the time since an arbitrary start; it never goes back.
	Mono() time.Duration
	// Sleep returns after d of monotonic time.
	Sleep(d time.Duration)
	// AfterFunc calls f in its own goroutine after d.
	AfterFunc(d time.Duration, f func()) Timer
	// NewTicker sends on its channel every d, dropping ticks for a slow reader.
	NewTicker(d time.Duration) Ticker
	// After sends once on the returned channel after d.
	After(d time.Duration) <-chan time.Time
}

// Timer is a pending AfterFunc.
type Timer interface {
	// Stop cancels the call and reports whether it was still pending.
	Stop() bool
	// Reset re-arms the call to happen d from now.
	Reset(d time.Duration) bool
}

// Ticker sends ticks until stopped.
type Ticker interface {
	C() <-chan time.Time
	Stop()
}

var start = time.Now()

// Real is the machine's clock.
var Real Clock = realClock{}

type realClock struct{}

func (realClock) Now() time.Time                            { return time.Now() }
func (realClock) Mono() time.Duration                       { return time.Since(start) }
func (realClock) Sleep(d time.Duration)                     { time.Sleep(d) }
func (realClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
func (realClock) After(d time.Duration) <-chan time.Time    { return time.After(d) }
func (realClock) NewTicker(d time.Duration) Ticker          { return realTicker{time.NewTicker(d)} }

type realTicker struct{ t *time.Ticker }

func (t realTicker) C() <-chan time.Time { return t.t.C }
func (t realTicker) Stop()               { t.t.Stop() }

// Skewed is base with its wall clock moved by Offset, which a test may change
// at any time through the function.
type Skewed struct {
	Clock
	Offset func() time.Duration
}

// Now is the base's wall clock moved by the offset.
func (s Skewed) Now() time.Time { return s.Clock.Now().Add(s.Offset()) }
