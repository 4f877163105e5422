package godriver

import (
	"errors"
	"syscall"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// A session that nobody answers fails for what the system says.
func TestCause(t *testing.T) {
	var c Connects
	cluster := gocql.NewCluster("127.0.0.1:1") // a port of no use
	cluster.ConnectObserver = &c
	cluster.Logger = gocql.NewLogger(gocql.LogLevelNone)
	s, err := cluster.CreateSession()
	if err == nil {
		Close(s)
		t.Fatal("a session without a server")
	}
	if !errors.Is(c.Cause(err), syscall.ECONNREFUSED) {
		t.Errorf("%v, because of %v", err, c.Cause(err))
	}
	c.ObserveConnect(gocql.ObservedConnect{})
	if other := errors.New("no schema"); c.Cause(other) != other || c.Cause(nil) != nil {
		t.Error("a connection that was made is a cause")
	}
}
