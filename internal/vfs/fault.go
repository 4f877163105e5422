package vfs

import (
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// Rule says which calls a Fault breaks and how. The zero Rule matches every
// call and breaks none, which is good for counting them.
type Rule struct {
	// Ops are the calls it is about; the empty set is all.
	Ops Ops
	// Glob is a pattern of path.Match; one without '/' is matched against the
	// last element. Of a rename or link either name may match. Empty is all.
	Glob string
	// Nth is the first matching call that is hit, counted from 1 (0 is 1), and
	// Times how many are (0 is 1, negative is all that follow).
	Nth, Times int

	// Delay is slept before anything else, on the Fault's clock.
	Delay time.Duration
	// Err is returned instead of making the call.
	Err error
	// After makes the call all the same before Err is returned: the caller is
	// told of a failure that did not happen.
	After bool
	// Short is how many bytes a write with Err writes before it fails.
	Short int
	// DropDirty makes a failing sync lose what it should have synced, as Linux
	// does: later syncs succeed, later reads see the data, a crash shows that it
	// is not there. On a file system without a model of crashes it does nothing.
	DropDirty bool
	// Lost makes a write, sync or change of names return success undone.
	Lost bool
	// Misdirect is added to the offset of a write.
	Misdirect int64
	// Corrupt may change what was read or mapped at off.
	Corrupt func(p []byte, off int64)
}

// FlipBit returns a function for Rule.Corrupt that inverts one bit of the
// file, if the read covers it.
func FlipBit(bit int64) func(p []byte, off int64) {
	return func(p []byte, off int64) {
		if at := bit/8 - off; at >= 0 && at < int64(len(p)) {
			p[at] ^= 1 << (bit % 8)
		}
	}
}

// Armed is a rule in force.
type Armed struct {
	f    *Fault
	rule Rule

	// Both protected by Fault.mu.
	seen, fired int
}

// Fault is a file system that breaks chosen calls of another. If several rules
// hit a call, the one added first has its way, and all count it. To try a
// fault at every place of a run, count the calls with a rule without effects,
// then repeat the run once for each Nth.
type Fault struct {
	fs    FS
	clock interface{ Sleep(time.Duration) }

	mu    sync.Mutex // protects rules and the counts in them
	rules []*Armed
}

// NewFault wraps fs. The clock is for rules with a Delay and may be nil if
// there are none.
func NewFault(fs FS, clock interface{ Sleep(time.Duration) }) *Fault {
	return &Fault{fs: fs, clock: clock}
}

// Add puts a rule in force.
func (f *Fault) Add(r Rule) *Armed {
	a := &Armed{f: f, rule: r}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, a)
	return a
}

// Clear removes all rules.
func (f *Fault) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// Remove takes the rule out of force; its counts remain.
func (a *Armed) Remove() {
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	a.f.rules = slices.DeleteFunc(a.f.rules, func(b *Armed) bool { return a == b })
}

// Seen is the number of calls that matched so far, Fired of those it hit.
func (a *Armed) Seen() int {
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	return a.seen
}

// Fired is the number of calls that the rule hit.
func (a *Armed) Fired() int {
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	return a.fired
}

func (r *Rule) matches(c *Call) bool {
	return r.Ops.Has(c.Op) && (r.globs(c.Name) || c.NewName != "" && r.globs(c.NewName))
}

func (r *Rule) globs(name string) bool {
	if r.Glob == "" {
		return true
	}
	if !strings.Contains(r.Glob, "/") {
		name = path.Base(name)
	}
	ok, err := path.Match(r.Glob, name)
	return ok && err == nil
}

// hit counts the call and returns the rule that breaks it; the zero rule if
// there is none.
func (f *Fault) hit(c Call) (hit Rule) {
	f.mu.Lock()
	found := false
	for _, a := range f.rules {
		if !a.rule.matches(&c) {
			continue
		}
		a.seen++
		first, times := max(a.rule.Nth, 1), a.rule.Times
		if times == 0 {
			times = 1
		}
		if !found && a.seen >= first && (times < 0 || a.seen < first+times) {
			a.fired++
			hit, found = a.rule, true
		}
	}
	f.mu.Unlock()
	if hit.Delay > 0 {
		f.clock.Sleep(hit.Delay)
	}
	return hit
}

// do makes a call under the rules.
func (f *Fault) do(c Call, call func() error) error {
	r := f.hit(c)
	if r.Lost && WriteSide.Has(c.Op) && r.Err == nil && c.Op != OpCreate {
		return nil
	}
	if r.Err == nil {
		return call()
	}
	if r.After {
		if err := call(); err != nil {
			return err
		}
	}
	return injected(c, r.Err)
}

func injected(c Call, err error) error {
	name := c.Name
	if c.NewName != "" {
		name += " to " + c.NewName
	}
	return wrap(c.Op.String(), name, err)
}

// open is do for calls that yield a file, which an error must not leak.
func (f *Fault) open(c Call, call func() (File, error)) (File, error) {
	var file File
	err := f.do(c, func() (err error) {
		file, err = call()
		return err
	})
	if err != nil {
		if file != nil {
			file.Close()
		}
		return nil, err
	}
	return &faultFile{File: file, f: f}, nil
}

// Create implements FS.
func (f *Fault) Create(name string, o OpenOptions) (File, error) {
	return f.open(Call{Op: OpCreate, Name: name}, func() (File, error) { return f.fs.Create(name, o) })
}

// Open implements FS.
func (f *Fault) Open(name string, o OpenOptions) (File, error) {
	return f.open(Call{Op: OpOpen, Name: name}, func() (File, error) { return f.fs.Open(name, o) })
}

// OpenRW implements FS.
func (f *Fault) OpenRW(name string, o OpenOptions) (File, error) {
	return f.open(Call{Op: OpOpen, Name: name}, func() (File, error) { return f.fs.OpenRW(name, o) })
}

// Rename implements FS.
func (f *Fault) Rename(oldName, newName string) error {
	return f.do(Call{Op: OpRename, Name: oldName, NewName: newName}, func() error { return f.fs.Rename(oldName, newName) })
}

// Link implements FS.
func (f *Fault) Link(oldName, newName string) error {
	return f.do(Call{Op: OpLink, Name: oldName, NewName: newName}, func() error { return f.fs.Link(oldName, newName) })
}

// Remove implements FS.
func (f *Fault) Remove(name string) error {
	return f.do(Call{Op: OpRemove, Name: name}, func() error { return f.fs.Remove(name) })
}

// RemoveAll implements FS.
func (f *Fault) RemoveAll(name string) error {
	return f.do(Call{Op: OpRemoveAll, Name: name}, func() error { return f.fs.RemoveAll(name) })
}

// MkdirAll implements FS.
func (f *Fault) MkdirAll(dir string) error {
	return f.do(Call{Op: OpMkdir, Name: dir}, func() error { return f.fs.MkdirAll(dir) })
}

// SyncDir implements FS.
func (f *Fault) SyncDir(dir string) error {
	return f.do(Call{Op: OpSyncDir, Name: dir}, func() error { return f.fs.SyncDir(dir) })
}

// List implements FS.
func (f *Fault) List(dir string) (names []string, err error) {
	err = f.do(Call{Op: OpList, Name: dir}, func() (err error) {
		names, err = f.fs.List(dir)
		return err
	})
	return names, err
}

// Stat implements FS.
func (f *Fault) Stat(name string) (info Info, err error) {
	err = f.do(Call{Op: OpStat, Name: name}, func() (err error) {
		info, err = f.fs.Stat(name)
		return err
	})
	return info, err
}

// DiskUsage implements FS.
func (f *Fault) DiskUsage(dir string) (u Usage, err error) {
	err = f.do(Call{Op: OpDiskUsage, Name: dir}, func() (err error) {
		u, err = f.fs.DiskUsage(dir)
		return err
	})
	return u, err
}

// Memory implements FS. It cannot fail.
func (f *Fault) Memory() int64 { return f.fs.Memory() }

// Lock implements FS.
func (f *Fault) Lock(name string) (io.Closer, error) {
	var l io.Closer
	err := f.do(Call{Op: OpLock, Name: name}, func() (err error) {
		l, err = f.fs.Lock(name)
		return err
	})
	if err != nil && l != nil {
		l.Close()
	}
	return l, err
}
