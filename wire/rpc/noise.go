package rpc

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
)

// noise logs what somebody else causes again and again once only.
type noise struct {
	log *slog.Logger

	mu   sync.Mutex // protects said
	said map[string]struct{}
}

// maxSaid bounds what is remembered; then it starts anew.
const maxSaid = 256

// warn logs a message about an address unless it did so before. Of what the
// operating system says the cause alone is said: each connection has another
// port.
func (n *noise) warn(msg, addr string, err error) {
	host, _, splitErr := net.SplitHostPort(addr)
	if splitErr != nil {
		host = addr
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	if n.first(msg + " " + host + " " + err.Error()) {
		n.log.Warn(msg, "address", addr, "error", err)
	}
}

func (n *noise) first(key string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.said[key]; ok {
		return false
	}
	if n.said == nil || len(n.said) >= maxSaid {
		n.said = map[string]struct{}{}
	}
	n.said[key] = struct{}{}
	return true
}
