package mutation

// Completer is told the outcome of a write, exactly once, from any goroutine.
// It must not block. nil means that the write is durable as the sync mode
// promises and visible to reads that start from now on.
type Completer interface {
	Complete(err error)
}
