//go:build failpoints

package fail

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Enabled tells whether fail points are compiled in.
const Enabled = true

// points are what is armed. They do not change after the start.
var points = map[string]func() error{}

func init() {
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
			points[name] = after(name, arg, func() error { return fmt.Errorf("fail point %s", name) })
		case "delay":
			d, err := time.ParseDuration(arg)
			if err != nil {
				panic("fail point " + name + ": " + err.Error())
			}
			points[name] = func() error { sleep(d); return nil }
		case "kill":
			points[name] = after(name, arg, func() error { os.Exit(137); return nil })
		}
	}
}

// sleepPart is how long a delay lasts at once.
const sleepPart = 100 * time.Millisecond

// sleep sleeps in parts: a machine that stands still for a while does not
// shorten what others have time for meanwhile by more than one.
func sleep(d time.Duration) {
	for ; d > sleepPart; d -= sleepPart {
		time.Sleep(sleepPart)
	}
	time.Sleep(d)
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

// Point runs what the environment armed under name and returns its error.
func Point(name string) error {
	if f := points[name]; f != nil {
		return f()
	}
	return nil
}
