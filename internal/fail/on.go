//go:build failpoints

package fail

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Enabled tells whether fail points are compiled in.
const Enabled = true

var points struct {
	mu sync.Mutex // protects m
	m  map[string]func() error
}

func init() {
	points.m = map[string]func() error{}
	// A real process is armed by its environment:
	// ILION_FAILPOINTS="name=error;name=delay:100ms;name=kill". An error or a
	// kill may wait: "name=error:20" begins after 20 calls.
	for _, one := range strings.Split(os.Getenv("ILION_FAILPOINTS"), ";") {
		name, what, ok := strings.Cut(one, "=")
		if !ok {
			continue
		}
		verb, arg, _ := strings.Cut(what, ":")
		switch verb {
		case "error":
			points.m[name] = after(name, arg, func() error { return fmt.Errorf("fail point %s", name) })
		case "delay":
			d, err := time.ParseDuration(arg)
			if err != nil {
				panic("fail point " + name + ": " + err.Error())
			}
			points.m[name] = func() error { time.Sleep(d); return nil }
		case "kill":
			points.m[name] = after(name, arg, func() error { os.Exit(137); return nil })
		}
	}
}

// after lets as many calls pass as arg says, none if it is empty.
func after(name, arg string, f func() error) func() error {
	if arg == "" {
		return f
	}
	n, err := strconv.ParseInt(arg, 10, 64)
	if err != nil {
		panic("fail point " + name + ": " + err.Error())
	}
	var calls atomic.Int64
	return func() error {
		if calls.Add(1) <= n {
			return nil
		}
		return f()
	}
}

// Point runs what a test armed under name and returns its error.
func Point(name string) error {
	points.mu.Lock()
	f := points.m[name]
	points.mu.Unlock()
	if f == nil {
		return nil
	}
	return f()
}

// Arm makes Point(name) call f until the returned function is called.
func Arm(name string, f func() error) (disarm func()) {
	points.mu.Lock()
	defer points.mu.Unlock()
	points.m[name] = f
	return func() {
		points.mu.Lock()
		defer points.mu.Unlock()
		delete(points.m, name)
	}
}
