package invariant

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// recovered is what f panics with, nil if it does not.
func recovered(f func()) (p any) {
	defer func() { p = recover() }()
	f()
	return nil
}

// A lock that whoever failed may have left locked is not asked for.
func TestRelease(t *testing.T) {
	for _, c := range []struct {
		name     string
		panics   any
		fails    bool
		released int
	}{
		{name: "no panic", released: 1},
		{name: "a panic", panics: "bug: no assertion", released: 1},
		{name: "a failed assertion", fails: true},
	} {
		released := 0
		p := recovered(func() {
			defer Release(func() { released++ })
			if c.panics != nil {
				panic(c.panics)
			}
			Check(!c.fails, "it failed")
		})
		if released != c.released {
			t.Errorf("%s: released %d times", c.name, released)
		}
		if _, failed := p.(failure); failed != c.fails || !c.fails && p != c.panics {
			t.Errorf("%s: panicked on with %v", c.name, p)
		}
	}
}

func TestPassOn(t *testing.T) {
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))
	if p := recovered(func() { Check(true, "never") }); p != nil {
		t.Errorf("what holds panics with %v", p)
	}
	for _, other := range []any{nil, "bug: no assertion", errors.New("bug: no assertion")} {
		if p := recovered(func() { PassOn(other, log) }); p != nil || said.Len() > 0 {
			t.Errorf("%v is passed on as %v; logged %q", other, p, said.String())
		}
	}
	p := recovered(func() { Check(false, "test: %d is not %d", 1, 2) })
	again := recovered(func() { PassOn(p, log) })
	if err, ok := again.(error); !ok || again != p || err.Error() != "bug: test: 1 is not 2" {
		t.Errorf("panicked with %v, passed on as %v", p, again)
	}
	for _, want := range []string{"the process ends", "test: 1 is not 2", "TestPassOn"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %q in %q", want, said.String())
		}
	}
}
