package node

import "testing"

// Questions about the cluster that nobody has time for are refused.
func TestQueueIsBounded(t *testing.T) {
	q, closing, ran := newQueue(), make(chan struct{}), make(chan struct{}, queueLength)
	for i := range queueLength {
		if !q.add(func() { ran <- struct{}{} }) {
			t.Fatalf("the queue is full with %d", i)
		}
	}
	if q.add(func() {}) {
		t.Errorf("more than %d wait", queueLength)
	}
	ended := make(chan struct{})
	go func() {
		q.run(closing)
		close(ended)
	}()
	for range queueLength {
		<-ran
	}
	close(closing)
	<-ended
}
