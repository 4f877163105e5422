package godriver

import (
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Connects keeps why the last connection of a session failed, which the error of
// a session that could not be made only tells in words: it is to be the
// ConnectObserver of its cluster. It may be used concurrently.
type Connects struct {
	mu  sync.Mutex
	err error // nil if the last connection was made; under mu
}

// ObserveConnect implements gocql.ConnectObserver.
func (c *Connects) ObserveConnect(o gocql.ObservedConnect) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = o.Err
}

// Cause is why there is no session: the error of its last connection, or err if
// that was made.
func (c *Connects) Cause(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil || c.err == nil {
		return err
	}
	return c.err
}
