package commitlog

// Syncer is told about the end of an append.
type Syncer interface {
	// Synced is called exactly once per append that returned no error, with nil
	// when the record is durable (in mode Periodic: copied) or with an error that
	// matches ErrFailed when nobody can tell. It may be called before the append
	// has returned and from any goroutine. It must not block and must not append.
	Synced(err error)
}

// Waiter links one append into the list of its frame. It is embedded in the
// caller's request record, used for one append at a time and free again when
// Synced is called; it allocates nothing.
type Waiter struct {
	next *Waiter
	to   Syncer
}

// Init says whom to tell. It must not be called while an append is pending.
func (w *Waiter) Init(to Syncer) { w.to = to }

// waiterList is a queue of waiters in order of arrival.
type waiterList struct {
	head, tail *Waiter
}

func (l *waiterList) push(w *Waiter) {
	w.next = nil
	if l.tail == nil {
		l.head = w
	} else {
		l.tail.next = w
	}
	l.tail = w
}

// take empties the list and returns what was in it.
func (l *waiterList) take() waiterList {
	t := *l
	*l = waiterList{}
	return t
}

// wake tells every waiter. No lock may be held.
func (l waiterList) wake(err error) {
	for w := l.head; w != nil; {
		// The waiter belongs to its caller again once Synced is called.
		next := w.next
		w.next = nil
		w.to.Synced(err)
		w = next
	}
}

// parked is a goroutine that blocks until its append is durable.
type parked struct {
	Waiter
	done chan error
}

func (p *parked) Synced(err error) { p.done <- err }

// getParked returns a parked goroutine's record to be put back into l.parked.
// The pool is the log's own: under virtual time a channel must not leave its
// bubble.
func (l *Log) getParked() *parked {
	if p, ok := l.parked.Get().(*parked); ok {
		return p
	}
	p := &parked{done: make(chan error, 1)}
	p.Init(p)
	return p
}
