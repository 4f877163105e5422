package godriver

import "time"

// closeTimeout is far above what a driver needs to close a session.
const closeTimeout = 10 * time.Second

// Close closes a session of a Go driver and returns when it is closed, or after
// ten seconds: gocql 2.1 may wait for ever if it is just connecting again to a
// node that was away (its control connection then waits for a refresh of the
// schema by a goroutine that Close has ended, and Close for the connection).
// What is left of the session goes with the process.
func Close(session interface{ Close() }) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		session.Close()
	}()
	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	select {
	case <-closed:
	case <-timeout.C:
	}
}
