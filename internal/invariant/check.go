package invariant

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// failure is what a failed assertion panics with.
type failure string

// Error is for the runtime, which writes it when the process ends.
func (f failure) Error() string { return string(f) }

// Check panics with "bug: " and the formatted message if ok is false.
func Check(ok bool, format string, args ...any) {
	if !ok {
		panic(failure("bug: " + fmt.Sprintf(format, args...)))
	}
}

// Release is for a defer: it calls f, which gives something back. After a panic it
// does so, too, and panics on; but not after a failed assertion, since f may want
// a lock that was left locked, and the process is to end.
//
//	defer invariant.Release(src.Close)
func Release(f func()) {
	p := recover()
	if _, failed := p.(failure); !failed {
		f()
	}
	if p != nil {
		panic(p)
	}
}

// PassOn panics again with p, which recover has returned, if that is of a failed
// assertion, after it has told log of it; of another panic it does nothing. The
// caller must hold no lock that log needs.
func PassOn(p any, log *slog.Logger) {
	if f, failed := p.(failure); failed {
		log.Error("an assertion failed; the process ends", "assertion", f, "stack", string(debug.Stack()))
		panic(f)
	}
}
