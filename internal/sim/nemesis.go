package sim

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ilion-db/ilion/internal/vfs"
)

// Action is one kind of fault that a Nemesis may bring about.
type Action struct {
	Kind string
	// Begin makes it happen. It will be ended after hold.
	Begin func(hold time.Duration) Injected
}

// Injected is a fault in force.
type Injected struct {
	// Machines are those it is about.
	Machines []int
	// End undoes it, returns when that is done, and tells how much met it: 0 is a
	// fault that changed nothing and does not count.
	End func() (effects int64)
}

// nothing is a fault that finds nobody to be about.
func nothing() Injected { return Injected{End: func() int64 { return 0 }} }

// Tally is what became of the faults of one kind.
type Tally struct {
	Kind      string
	Injected  int
	Effective int // that something met
	Changed   int // of these, what Judge was told
	Effects   int64
}

// Past is a fault that something met and that is over.
type Past struct {
	Kind     string
	Machines []int
	From, To time.Duration // on the world's monotonic clock
}

// Nemesis brings about faults one after the other, chosen by the world's
// seed. Several may run at once.
type Nemesis struct {
	w       *World
	actions []Action
	// The shortest and longest times between two faults, and of a fault.
	gap, hold [2]time.Duration

	mu      sync.Mutex // protects what follows
	tallies []Tally
	past    []past
}

// past is a fault of the kind of an action.
type past struct {
	action int
	Past
}

// NewNemesis returns one that waits for between gap[0] and gap[1] before each
// fault and holds it for between hold[0] and hold[1], mostly not for long.
func (w *World) NewNemesis(gap, hold [2]time.Duration, actions ...Action) *Nemesis {
	n := &Nemesis{w: w, actions: actions, gap: gap, hold: hold}
	for _, a := range actions {
		n.tallies = append(n.tallies, Tally{Kind: a.Kind})
	}
	return n
}

// between is a time in the range, to an odd nanosecond.
func (w *World) between(r [2]time.Duration) time.Duration {
	d := r[0]
	if r[1] > r[0] {
		d += time.Duration(w.Rand.Uint64N(uint64(r[1] - r[0])))
	}
	return d | 1
}

// Run brings about faults for a time and returns when the last has ended. Each
// kind comes once before any comes again.
func (n *Nemesis) Run(d time.Duration) {
	until := n.w.Clock.Mono() + d
	for {
		for _, i := range n.w.shuffled(len(n.actions)) {
			if n.w.Clock.Mono() >= until {
				return
			}
			n.bring(i)
		}
	}
}

// completeRounds is how often Complete tries: some kinds meet somebody once in a
// few times only.
const completeRounds = 100

// Complete brings about faults of each kind that nothing has met until something
// has, completeRounds at most.
func (n *Nemesis) Complete() {
	for range completeRounds {
		for _, i := range n.w.shuffled(len(n.actions)) {
			if !n.effective(i) {
				n.bring(i)
			}
		}
	}
}

func (n *Nemesis) effective(i int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.tallies[i].Effective > 0
}

// bring brings about a fault of kind i.
func (n *Nemesis) bring(i int) {
	n.w.Clock.Sleep(n.w.between(n.gap))
	chance := float64(n.w.Rand.Uint64N(1<<20)) / (1 << 20)
	hold := n.hold[0] + time.Duration(chance*chance*chance*float64(n.hold[1]-n.hold[0])) | 1
	f := Past{Kind: n.actions[i].Kind, From: n.w.Clock.Mono()}
	in := n.actions[i].Begin(hold)
	n.w.Clock.Sleep(hold)
	effects := in.End()
	f.Machines, f.To = in.Machines, n.w.Clock.Mono()
	n.mu.Lock()
	defer n.mu.Unlock()
	t := &n.tallies[i]
	t.Injected++
	t.Effects += effects
	if effects > 0 {
		t.Effective++
		n.past = append(n.past, past{i, f})
	}
}

// Judge counts the faults that something met which have changed what somebody
// got, as changed tells.
func (n *Nemesis) Judge(changed func(*Past) bool) (faults int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.past {
		if changed(&n.past[i].Past) {
			n.tallies[n.past[i].action].Changed++
			faults++
		}
	}
	n.past = nil
	return faults
}

// shuffled is the numbers below n in a random order.
func (w *World) shuffled(n int) []int {
	p := make([]int, n)
	for i := range p {
		j := int(w.Rand.Uint64N(uint64(i + 1)))
		p[i], p[j] = p[j], i
	}
	return p
}

// Tallies is what has happened so far, by kind.
func (n *Nemesis) Tallies() []Tally {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.tallies)
}

// Effective is how many faults something met, and the kinds of which none was.
func (n *Nemesis) Effective() (faults int, void []string) {
	for _, t := range n.Tallies() {
		faults += t.Effective
		if t.Effective == 0 {
			void = append(void, t.Kind)
		}
	}
	return faults, void
}

// String is a table of the tallies.
func (n *Nemesis) String() string {
	var b strings.Builder
	for _, t := range n.Tallies() {
		fmt.Fprintf(&b, "%-12s %5d injected %5d effective %5d changed an outcome %8d effects\n", t.Kind, t.Injected, t.Effective, t.Changed, t.Effects)
	}
	return b.String()
}

// pick is one of the machines.
func (w *World) pick(of []int) int { return of[w.Rand.Uint64N(uint64(len(of)))] }

// Shuffled is the machines in a random order.
func (w *World) Shuffled(machines []int) []int {
	order := w.shuffled(len(machines))
	for i, k := range order {
		order[i] = machines[k]
	}
	return order
}

// held makes an action of a fault of the network.
func held(kind string, machines func() []int, begin func(machines []int) *Fault) Action {
	return Action{kind, func(time.Duration) Injected {
		about := machines()
		f := begin(about)
		return Injected{about, func() int64 {
			f.Heal()
			return f.Effects()
		}}
	}}
}

// NetworkActions are all faults of the network among the machines.
func (w *World) NetworkActions(machines []int) []Action {
	one := func() []int { return []int{w.pick(machines)} }
	all := func() []int { return w.Shuffled(machines) }
	halves := func(order []int) (a, b []int) {
		half := (len(order) + 1) / 2
		return order[:half:half], order[half:]
	}
	return []Action{
		held("isolate", one, func(m []int) *Fault { return w.Net.Isolate(m[0]) }),
		held("split", all, func(m []int) *Fault { return w.Net.Split(halves(m)) }),
		held("bridge", all, func(m []int) *Fault {
			// One machine sees both halves, which do not see each other.
			a, b := halves(m)
			return w.Net.Split(a[1:], b)
		}),
		held("one-way", all, func(m []int) *Fault { return w.Net.OneWay(halves(m)) }),
		held("slow link", one, func(m []int) *Fault { return w.Net.Slow(m[0], 150*time.Millisecond, 256<<10) }),
		held("delay spike", one, func(m []int) *Fault { return w.Net.Slow(m[0], 1_500_007*time.Microsecond, 0) }),
		held("loss", all, func([]int) *Fault { return w.Net.Lossy(10) }),
		held("reset", all, func([]int) *Fault { return w.Net.Resetting(2) }),
		held("refuse", one, func(m []int) *Fault {
			// Only new connections meet it: those there are end, too.
			f := w.Net.Refuse(m[0])
			for _, other := range machines {
				if other != m[0] {
					w.Net.Reset(other, m[0])
				}
			}
			return f
		}),
		{"half-open", func(time.Duration) Injected {
			two := all()[:2]
			cut := w.Net.HalfOpen(two[0], two[1])
			return Injected{two, func() int64 { return cut }}
		}},
		{"flapping", w.flap(machines)},
	}
}

// SplitAction cuts the links between two sets of machines, always the same.
func (w *World) SplitAction(kind string, a, b []int) Action {
	return held(kind, func() []int { return slices.Concat(a, b) }, func([]int) *Fault { return w.Net.Split(a, b) })
}

// flap isolates a machine again and again for a moment.
func (w *World) flap(machines []int) func(time.Duration) Injected {
	return func(time.Duration) Injected {
		at, stop, done := w.pick(machines), make(chan struct{}), make(chan int64)
		go func() {
			var effects int64
			for {
				f := w.Net.Isolate(at)
				more := w.pause(stop, 300*time.Millisecond, 2*time.Second)
				f.Heal()
				effects += f.Effects()
				if !more || !w.pause(stop, 300*time.Millisecond, 2*time.Second) {
					done <- effects
					return
				}
			}
		}()
		return Injected{[]int{at}, func() int64 {
			close(stop)
			return <-done
		}}
	}
}

// pause waits for a while and tells whether it was not stopped.
func (w *World) pause(stop chan struct{}, least, most time.Duration) bool {
	select {
	case <-w.Clock.After(w.between([2]time.Duration{least, most})):
		return true
	case <-stop:
		return false
	}
}

// ClockActions are wall clocks that jump by up to most, and back, and that run
// fast or slow.
func (w *World) ClockActions(machines []int, most time.Duration) []Action {
	wrong := func(kind string, begin func(m *Machine, hold time.Duration)) Action {
		return Action{kind, func(hold time.Duration) Injected {
			at := w.pick(machines)
			m := w.Machines[at]
			before := m.Skewed()
			begin(m, hold)
			return Injected{[]int{at}, func() int64 {
				m.SetDrift(0)
				m.SetOffset(0)
				return m.Skewed() - before
			}}
		}}
	}
	return []Action{
		wrong("clock jump", func(m *Machine, _ time.Duration) {
			m.SetOffset(w.between([2]time.Duration{0, 2 * most}) - most)
		}),
		wrong("clock drift", func(m *Machine, hold time.Duration) {
			total := w.between([2]time.Duration{0, 2 * most}) - most
			m.SetDrift(time.Duration(float64(total) / hold.Seconds()))
		}),
	}
}

// DiskActions are disks that are slow, full, and that fail single calls; glob
// names the files whose calls fail, as vfs.Rule has it.
func (w *World) DiskActions(machines []int, glob string) []Action {
	ruled := func(kind string, rule vfs.Rule) Action {
		return Action{kind, func(time.Duration) Injected {
			at := w.pick(machines)
			env := w.Machines[at].environment()
			if env == nil {
				return nothing()
			}
			armed := env.Faults.Add(rule)
			return Injected{[]int{at}, func() int64 {
				armed.Remove()
				return int64(armed.Fired())
			}}
		}}
	}
	return []Action{
		ruled("slow disk", vfs.Rule{Ops: vfs.WriteSide, Times: -1, Delay: 20_011 * time.Microsecond}),
		ruled("full disk", vfs.Rule{Ops: vfs.OpsOf(vfs.OpCreate, vfs.OpWrite, vfs.OpPreallocate), Times: -1, Err: vfs.ErrNoSpace}),
		ruled("I/O error", vfs.Rule{Ops: vfs.OpsOf(vfs.OpWrite, vfs.OpSync, vfs.OpRead), Glob: glob, Err: vfs.ErrIO}),
	}
}

// PauseAction stops a machine, as SIGSTOP or a collapsing hypervisor does:
// nothing gets in or out and its disk stands still. What computes goes on.
func (w *World) PauseAction(machines []int) Action {
	return Action{"pause", func(hold time.Duration) Injected {
		at := w.pick(machines)
		return w.delayed(at, w.Net.Isolate(at), hold)
	}}
}

// SlowAction has a machine take a hundred times as long for a message or a call
// to its disk.
func (w *World) SlowAction(machines []int) Action {
	return Action{"slow node", func(time.Duration) Injected {
		at := w.pick(machines)
		return w.delayed(at, w.Net.Slow(at, 100*(latency+jitter/2), 0), 20_021*time.Microsecond)
	}}
}

// delayed is a fault of a machine's links, and one that delays its disk's calls.
func (w *World) delayed(at int, f *Fault, delay time.Duration) Injected {
	var armed *vfs.Armed
	if env := w.Machines[at].environment(); env != nil {
		armed = env.Faults.Add(vfs.Rule{Times: -1, Delay: delay})
	}
	return Injected{[]int{at}, func() int64 {
		f.Heal()
		effects := f.Effects()
		if armed != nil {
			armed.Remove()
			effects += int64(armed.Fired())
		}
		return effects
	}}
}

// CrashActions are the death of a machine's process, and a power cut, which loses
// what was not synced; then it starts again. stop is told that what ran on the
// machine is cut off and returns when it has ended; start boots the machine and
// returns when it serves.
func (w *World) CrashActions(machines []int, stop, start func(machine int)) []Action {
	down := func(kind string, end func(m *Machine) (connections int)) Action {
		return Action{kind, func(time.Duration) Injected {
			at := w.pick(machines)
			m := w.Machines[at]
			if !m.Up() {
				return nothing()
			}
			before := w.Net.missedBy(at)
			connections := end(m)
			stop(at)
			return Injected{[]int{at}, func() int64 {
				effects := int64(connections) + w.Net.missedBy(at) - before
				start(at)
				return effects
			}}
		}}
	}
	return []Action{
		down("kill", (*Machine).Kill),
		down("power cut", func(m *Machine) int {
			return m.Crash(vfs.CrashOptions{Keep: int(w.Rand.Uint64N(2)) * 50, Prefix: w.Rand.Uint64N(4) == 0})
		}),
	}
}
