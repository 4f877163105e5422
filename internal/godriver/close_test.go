package godriver

import (
	"testing"
	"testing/synctest"
	"time"
)

// stuck is a session that closes when it is let.
type stuck chan struct{}

func (s stuck) Close() { <-s }

// A session that does not close is left, one that does is waited for.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, began := make(stuck), time.Now()
		Close(s)
		if waited := time.Since(began); waited != closeTimeout {
			t.Errorf("a stuck session is waited for %v", waited)
		}
		time.AfterFunc(time.Second, func() { close(s) })
		began = time.Now()
		Close(s)
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("a session that takes a second to close is waited for %v", waited)
		}
	})
}
