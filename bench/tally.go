package bench

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// maxLatency bounds the histograms, in nanoseconds.
const maxLatency = int64(time.Minute)

// tally is what one worker counts. It is the worker's own until the worker has
// ended.
type tally struct {
	hists  [kinds]*hdrhistogram.Histogram // nanoseconds, nil for kinds that did not come
	errors map[string]int64               // by kind
	first  map[string]string              // the first text of each kind
	nodes  map[string]*NodeCount          // requests by node
	stale  int64                          // reads of rows that the levels do not promise, and that were not there
}

func (t *tally) init() {
	*t = tally{errors: map[string]int64{}, first: map[string]string{}, nodes: map[string]*NodeCount{}}
}

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, maxLatency, 3) }

// succeed counts an operation.
func (t *tally) succeed(k kind, took time.Duration) {
	if t.hists[k] == nil {
		t.hists[k] = newHistogram()
	}
	if t.hists[k].RecordValue(int64(took)) != nil {
		t.hists[k].RecordValue(maxLatency)
	}
}

// fail counts an operation that ended in an error, and returns its kind.
func (t *tally) fail(err error) string {
	kind := errorKind(err)
	if t.errors[kind] == 0 {
		t.first[kind] = err.Error()
	}
	t.errors[kind]++
	return kind
}

// request counts a request at the node that answered it or failed; "" stands
// for none.
func (t *tally) request(node string, err error) {
	if node == "" {
		return
	}
	n := t.nodes[node]
	if n == nil {
		n = &NodeCount{}
		t.nodes[node] = n
	}
	n.Requests++
	if err != nil {
		n.Errors++
	}
}

// Kinds of errors that are no server's.
const (
	wrongAnswer = "wrong answer"
	timeOut     = "time-out in the client"
	noNode      = "no node to be reached"
	connection  = "connection"
)

// errorKind names an error for the summary.
func errorKind(err error) string {
	if errors.Is(err, ErrWrong) {
		return wrongAnswer
	}
	if kind := cmp.Or(cqlErrorKind(err), wireErrorKind(err)); kind != "" {
		return kind
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return timeOut
	}
	return connection
}
