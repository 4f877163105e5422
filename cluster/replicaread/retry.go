package replicaread

import (
	"strconv"
	"strings"
	"time"
)

// retryPolicy is a table's speculative_retry in the canonical spelling of
// schema.TableOptions: NEVER, ALWAYS, 99p, 50ms, MIN(99p,50ms), MAX(99p,50ms).
type retryPolicy struct {
	kind     retryKind
	quantile float64 // 0 to 1
	fixed    time.Duration
}

type retryKind uint8

const (
	retryNever retryKind = iota
	retryAlways
	retryFixed
	retryPercentile
	retryMin
	retryMax
)

// parseRetry reads a policy. What it does not know means never: that costs
// latency and nothing else.
func parseRetry(s string) retryPolicy {
	kind := retryFixed
	switch {
	case s == "ALWAYS":
		return retryPolicy{kind: retryAlways}
	case strings.HasPrefix(s, "MIN("):
		kind = retryMin
	case strings.HasPrefix(s, "MAX("):
		kind = retryMax
	case strings.HasSuffix(s, "p"):
		kind = retryPercentile
	}
	if kind == retryMin || kind == retryMax {
		s = strings.TrimSuffix(s[len("MIN("):], ")")
	}
	p := retryPolicy{kind: kind}
	for _, part := range strings.Split(s, ",") {
		if n, ok := strings.CutSuffix(part, "ms"); ok {
			ms, err := strconv.Atoi(n)
			if err != nil {
				return retryPolicy{}
			}
			p.fixed = time.Duration(ms) * time.Millisecond
			continue
		}
		n, ok := strings.CutSuffix(part, "p")
		q, err := strconv.ParseFloat(n, 64)
		if !ok || err != nil {
			return retryPolicy{}
		}
		p.quantile = q / 100
	}
	return p
}

// percentile tells whether the delay depends on what was observed.
func (p retryPolicy) percentile() bool { return p.kind >= retryPercentile }

// delay is how long to wait for the replicas asked first, given the observed
// percentile; negative means for ever.
func (p retryPolicy) delay(observed time.Duration) time.Duration {
	switch p.kind {
	case retryAlways:
		return 0
	case retryFixed:
		return p.fixed
	case retryPercentile:
		return observed
	case retryMin:
		return min(observed, p.fixed)
	case retryMax:
		return max(observed, p.fixed)
	}
	return -1
}
