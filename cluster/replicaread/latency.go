package replicaread

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/metrics"
	"github.com/ilion-db/ilion/schema"
)

// peerLoad is what this node has seen of another one.
type peerLoad struct {
	latency atomic.Int64 // moving average of its answers, nanoseconds
	waiting atomic.Int32 // requests that it has not answered
	held    atomic.Int32 // callers of Read that wait for pages of ranges of it
	since   atomic.Int64 // Mono of its last page of a range, or when held became 1
}

// hold notes a caller that waits for a page of a range, and refuses it if so
// many wait and the peer has answered nothing for a while: one that is stuck
// must not take all who read. release follows in either case.
func (l *peerLoad) hold(now time.Duration, most int32) (ok bool) {
	n := l.held.Add(1)
	if n == 1 {
		l.since.Store(int64(now))
	}
	return n <= most || now-time.Duration(l.since.Load()) < stuckAfter
}

func (l *peerLoad) release() {
	invariant.Check(l.held.Add(-1) >= 0, "replicaread: fewer than none wait for a peer")
}

// answered ends a request to the peer.
func (l *peerLoad) answered() {
	invariant.Check(l.waiting.Add(-1) >= 0, "replicaread: a peer answers more than it was asked")
}

// observe takes in how long an answer took.
func (l *peerLoad) observe(d time.Duration) {
	old := l.latency.Load()
	if old == 0 {
		old = int64(d)
	}
	l.latency.Store(max(old+(int64(d)-old)/8, 1)) // of two at once one is lost, which does no harm
}

// peer finds the load of a host, nil if nothing is known of it yet.
func (rd *Reader) peer(host schema.UUID) *peerLoad {
	l, _ := rd.peers.Load(host)
	p, _ := l.(*peerLoad)
	return p
}

func (rd *Reader) peerOf(host schema.UUID) *peerLoad {
	if l := rd.peer(host); l != nil {
		return l
	}
	l, _ := rd.peers.LoadOrStore(host, new(peerLoad))
	return l.(*peerLoad)
}

// stuckAfter is how long a peer may answer nothing before no more callers than
// Config.Waiting wait for it.
const stuckAfter = time.Second

const (
	// sampleSpan is how long a table's latencies are gathered for a percentile;
	// that of the span before counts until there is a new one.
	sampleSpan = 10 * time.Second
	// resample is how often the percentile is computed while a span lasts.
	resample = time.Second
	// fewSamples are too few to tell a percentile from.
	fewSamples = 32
)

// tableLatency is a table's distribution of the times that replicas take, and
// the delay after which a read asks another one. Pages of ranges have one of their
// own: they take long, and would make reads of partitions ask others late.
type tableLatency struct {
	options string // of the policy that retry was parsed from
	retry   retryPolicy

	samples atomic.Pointer[metrics.Histogram]
	started atomic.Int64 // Mono at which samples were begun
	judged  atomic.Int64 // Mono at which delay was computed
	delay   atomic.Int64
}

func (t *tableLatency) observe(d time.Duration) { t.samples.Load().Observe(uint64(d)) }

// hedge is the delay at this time; negative means never.
func (t *tableLatency) hedge(now, limit time.Duration) time.Duration {
	if !t.retry.percentile() {
		return t.retry.delay(0)
	}
	if at := t.judged.Load(); now-time.Duration(at) >= resample && t.judged.CompareAndSwap(at, int64(now)) {
		s := t.samples.Load().Snapshot()
		if s.Count >= fewSamples {
			t.delay.Store(int64(t.retry.delay(time.Duration(s.Quantile(t.retry.quantile)))))
		}
		if now-time.Duration(t.started.Load()) >= sampleSpan && s.Count >= fewSamples {
			t.started.Store(int64(now))
			t.samples.Store(metrics.NewHistogram())
		}
	}
	if d := t.delay.Load(); d > 0 {
		return min(time.Duration(d), limit)
	}
	return t.retry.delay(limit)
}

// latencyOf finds the table's distribution, of pages of ranges or of what is read
// of partitions; a changed policy starts it anew.
func (rd *Reader) latencyOf(t *schema.Table, ranged bool, now time.Duration) *tableLatency {
	of := &rd.points
	if ranged {
		of = &rd.ranges
	}
	if v, ok := of.Load(t.ID); ok {
		if l := v.(*tableLatency); l.options == t.Options.SpeculativeRetry {
			return l
		}
	}
	l := &tableLatency{options: t.Options.SpeculativeRetry, retry: parseRetry(t.Options.SpeculativeRetry)}
	l.samples.Store(metrics.NewHistogram())
	l.started.Store(int64(now))
	l.judged.Store(int64(now))
	rd.forgetDropped()
	of.Store(t.ID, l)
	return l
}

// forgetDropped lets go of what is known of tables that are no more.
func (rd *Reader) forgetDropped() {
	snap := rd.cfg.Schema()
	for _, m := range []*sync.Map{&rd.points, &rd.ranges, &rd.damaged} {
		m.Range(func(id, _ any) bool {
			if snap.TableByID(id.(schema.TableID)) == nil {
				m.Delete(id)
			}
			return true
		})
	}
}
