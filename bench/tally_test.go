package bench

import (
	"context"
	"errors"
	"fmt"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/client"
)

// serverError is an error that a server answered.
type serverError int

func (e serverError) Code() int       { return int(e) }
func (e serverError) Message() string { return "text" }
func (e serverError) Error() string   { return "text" }

func TestErrorKinds(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("%w: row 3 is missing", ErrWrong), "wrong answer"},
		{serverError(gocql.ErrCodeOverloaded), "overloaded"},
		{fmt.Errorf("wrapped: %w", serverError(gocql.ErrCodeWriteTimeout)), "write time-out"},
		{serverError(0x2400), "server error 0x2400"},
		{context.DeadlineExceeded, "time-out in the client"},
		{gocql.ErrTimeoutNoResponse, "time-out in the client"},
		{gocql.ErrNoConnections, "no node to be reached"},
		{wire.Errorf(wire.CodeUnavailable, "text"), "unavailable"},
		{fmt.Errorf("wrapped: %w", wire.Errorf(wire.CodeTimeout, "text")), "time-out"},
		{client.ErrTimeout, "time-out in the client"},
		{client.ErrUnreachable, "no node to be reached"},
		{client.ErrLost, "connection"},
		{errors.New("EOF"), "connection"},
	} {
		if got := errorKind(tc.err); got != tc.want {
			t.Errorf("%v is of kind %q, want %q", tc.err, got, tc.want)
		}
	}
}

func TestRequestsAreCountedByNode(t *testing.T) {
	var w tally
	w.init()
	for range 3 {
		w.request("a", nil)
	}
	w.request("b", errors.New("EOF"))
	w.request("", gocql.ErrNoConnections)
	if len(w.nodes) != 2 || *w.nodes["a"] != (NodeCount{3, 0}) || *w.nodes["b"] != (NodeCount{1, 1}) {
		t.Errorf("%v", w.nodes)
	}
}
