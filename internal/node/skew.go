package node

import (
	"sync"
	"time"
)

// skewWarn is from which difference of clocks on an operator is told.
const skewWarn = time.Second

// skews are how far the clocks of peers are ahead of this node's.
type skews struct {
	mu     sync.Mutex // protects what follows
	byHost map[[16]byte]time.Duration
	warned map[[16]byte]bool
}

// note remembers a difference and tells whether it is worth a warning: once
// until it has been small again.
func (s *skews) note(host [16]byte, skew time.Duration) (warn bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byHost == nil {
		s.byHost, s.warned = map[[16]byte]time.Duration{}, map[[16]byte]bool{}
	}
	s.byHost[host] = skew
	large := skew.Abs() >= skewWarn
	warn = large && !s.warned[host]
	s.warned[host] = large
	return warn
}

// worst is the largest difference.
func (s *skews) worst() (skew time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.byHost {
		if d.Abs() > skew.Abs() {
			skew = d
		}
	}
	return skew
}

func (s *skews) forget(host [16]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byHost, host)
	delete(s.warned, host)
}

// noteSkew takes in how far a member's clock is ahead, give or take within. What
// was measured over a connection that had stalled, or by a process that had been
// stopped, says nothing.
func (n *network) noteSkew(host [16]byte, ahead, within time.Duration) {
	if within > skewWarn/4 || !n.logged.Load() || memberOf(n.log.State(), host) == nil {
		return
	}
	if n.skew.note(host, ahead) {
		n.Node.log.Warn("the clock of another node is not this node's: the order of writes without timestamps suffers; run a time daemon on both",
			"host", hostText(host), "ahead", ahead.Round(time.Millisecond))
	}
}
