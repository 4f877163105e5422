package sim

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

// simClock is the world's time: the bubble's, with a monotonic clock that
// starts above zero.
type simClock struct {
	clock.Clock
	start time.Time
}

// monoStart is what the monotonic clock shows when the world begins: no
// machine was switched on just now.
const monoStart = time.Hour

func (c simClock) Mono() time.Duration { return c.Clock.Now().Sub(c.start) + monoStart }

// Machine is a computer: a disk, a wall clock and a place in the network. What
// runs on it gets an Environment at each Boot.
type Machine struct {
	w     *World
	index int
	clock clock.Skewed

	offset atomic.Int64 // of the wall clock, nanoseconds
	drift  atomic.Int64 // of the wall clock, nanoseconds a second
	since  atomic.Int64 // when the drift began, nanoseconds monotonic
	skewed atomic.Int64 // how often the wall clock was read while it was wrong

	mu    sync.Mutex // protects what follows
	disk  *vfs.Mem
	boots uint64
	env   *Environment // nil while nothing runs
}

// Environment is what a process on a machine has of the world, until the
// machine crashes.
type Environment struct {
	Transport *Stack
	// FS is the disk behind Faults.
	FS     vfs.FS
	Faults *vfs.Fault
	Clock  clock.Clock
	Rand   *rand.Source
	// Boot counts them from 1.
	Boot uint64
}

func newMachine(w *World, index int) *Machine {
	m := &Machine{w: w, index: index, disk: vfs.NewMem()}
	m.clock = clock.Skewed{Clock: w.Clock, Offset: m.wallOffset}
	return m
}

// wallOffset is how far the wall clock is off.
func (m *Machine) wallOffset() time.Duration {
	d := m.offset.Load()
	if drift := m.drift.Load(); drift != 0 {
		d += int64(float64(int64(m.w.Clock.Mono())-m.since.Load()) / float64(time.Second) * float64(drift))
	}
	if d != 0 {
		m.skewed.Add(1)
	}
	return time.Duration(d)
}

// SetOffset puts the wall clock off by d: from one moment to the next, a jump.
func (m *Machine) SetOffset(d time.Duration) { m.offset.Store(int64(d)) }

// SetDrift has the wall clock gain d in every second from now on.
func (m *Machine) SetDrift(d time.Duration) {
	m.offset.Store(int64(m.wallOffset()))
	m.since.Store(int64(m.w.Clock.Mono()))
	m.drift.Store(int64(d))
}

// Skewed is how often the wall clock was read while it was off.
func (m *Machine) Skewed() int64 { return m.skewed.Load() }

// Address is the machine's address with a port.
func (m *Machine) Address(port uint16) string { return (&Stack{machine: m.index}).Address(port) }

// IP is the machine's address without a port.
func (m *Machine) IP() string { return addressOf(m.index).String() }

// Boot starts the machine, which must be down.
func (m *Machine) Boot() *Environment {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.boots++
	f := vfs.NewFault(m.disk, m.w.Clock)
	m.env = &Environment{
		Transport: m.w.Net.boot(m.index, m.clock), FS: f, Faults: f, Clock: m.clock,
		Rand: rand.NewSeeded(m.w.seed ^ uint64(m.index+1)<<32 ^ m.boots), Boot: m.boots,
	}
	return m.env
}

// Up tells whether something runs on the machine.
func (m *Machine) Up() bool {
	return m.environment() != nil
}

func (m *Machine) environment() *Environment {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.env
}

// Disk is what is on the machine's disk now, as the files in it read.
func (m *Machine) Disk() *vfs.Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.disk
}

// Kill ends the process: the kernel resets its connections and keeps what it
// wrote. It tells how many connections were open.
func (m *Machine) Kill() (connections int) {
	return m.down(false, vfs.CrashOptions{Keep: 100})
}

// Crash cuts the power: nobody is told, and the disk keeps what was synced and
// of the rest what the options say. It tells how many connections were open.
func (m *Machine) Crash(o vfs.CrashOptions) (connections int) { return m.down(true, o) }

// down ends a boot. What still runs in its environment is cut off: its disk is
// a copy that nobody looks at any more, and fails.
func (m *Machine) down(silent bool, o vfs.CrashOptions) (connections int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.env == nil {
		return 0
	}
	if o.Rand == nil {
		o.Rand = m.w.Rand
	}
	// The network goes first: nobody may hear of what the image does not have.
	connections = m.env.Transport.end(silent)
	m.disk = m.disk.CrashClone(o)
	m.env.Faults.Add(vfs.Rule{Times: -1, Err: vfs.ErrIO})
	m.env = nil
	return connections
}

// Wipe empties the disk of a machine that is down.
func (m *Machine) Wipe() { m.Restore(vfs.NewMem()) }

// Backup is an image of the disk, as a crash without losses would leave it.
func (m *Machine) Backup() *vfs.Mem {
	return m.Disk().CrashClone(vfs.CrashOptions{Keep: 100})
}

// Restore puts an image in the place of the disk of a machine that is down.
func (m *Machine) Restore(image *vfs.Mem) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.disk = image.CrashClone(vfs.CrashOptions{Keep: 100})
}
