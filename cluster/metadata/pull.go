package metadata

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	pullTimeout = 3 * time.Second
	// pullAgain is the pause after peers had nothing, up to twice of it.
	pullAgain = 200 * time.Millisecond
	// maxClaims bounds the peers whose epochs are remembered.
	maxClaims = 1024
)

// pullCode says what an answer to a pull holds. On the wire, never renumber.
type pullCode uint8

const (
	pullNothing  pullCode = 0 // the asker has all that the answerer has
	pullEntries  pullCode = 1 // entries as in a log file, without marks
	pullSnapshot pullCode = 2 // a snapshot as in its file
	pullDiverged pullCode = 3 // the asker has entries that are not the cluster's
)

// pulled is a decoded answer: entries that are chained, or a snapshot.
type pulled struct {
	code     pullCode
	entries  []byte
	snapshot *State
}

func decodePull(p []byte) (*pulled, error) {
	if len(p) == 0 {
		return nil, fmt.Errorf("%w: empty answer to a pull", ErrCorrupt)
	}
	r := &pulled{code: pullCode(p[0])}
	switch p = p[1:]; r.code {
	case pullNothing, pullDiverged:
	case pullEntries:
		r.entries = p
	case pullSnapshot:
		var err error
		if r.snapshot, err = readSnapshot("snapshot of a peer", p); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%w: answer %d to a pull", ErrCorrupt, r.code)
	}
	return r, nil
}

// ServePull answers a peer's Network.Pull: what comes after the epoch, which
// had that chain hash. After 0 it is a snapshot, which a new node joins with.
func (l *Replicated) ServePull(after uint64, hash [32]byte) ([]byte, error) {
	s, tail := l.state.Load(), *l.tail.Load()
	generation, index := uint16(after>>48), after&(1<<48-1)
	if after != 0 && s.diverges(generation, index) {
		return []byte{byte(pullDiverged)}, nil
	}
	if generation == s.Generation && index >= s.at.index || generation > s.Generation {
		if index == s.at.index && hash != s.at.hash {
			return []byte{byte(pullDiverged)}, nil
		}
		return []byte{byte(pullNothing)}, nil
	}
	i := slices.IndexFunc(tail, func(t stored) bool { return t.before.index == index })
	if after == 0 || i < 0 {
		return appendSnapshot([]byte{byte(pullSnapshot)}, s), nil
	}
	if tail[i].before.hash != hash {
		return []byte{byte(pullDiverged)}, nil
	}
	answer := []byte{byte(pullEntries)}
	for _, t := range tail[i:] {
		if len(answer) > 1 && len(answer)+len(t.bytes) > tailBytes {
			break
		}
		answer = append(answer, t.bytes...)
	}
	return answer, nil
}

// diverges tells whether an entry of that generation and index is not part of
// the history.
func (s *State) diverges(generation uint16, index uint64) bool {
	for _, f := range s.forks {
		if f.generation > generation && index > f.index {
			return true
		}
	}
	return false
}

// Hear notes that a peer is at an epoch, which is pulled if it is news. It does
// not block.
func (l *Replicated) Hear(from [16]byte, epoch uint64) {
	if epoch <= l.state.Load().Epoch {
		return
	}
	l.mu.Lock()
	if _, known := l.claims[from]; known || len(l.claims) < maxClaims {
		l.claims[from] = max(l.claims[from], epoch)
	}
	l.mu.Unlock()
	l.wakePuller()
}

func (l *Replicated) wakePuller() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// pull is the goroutine that fetches entries from peers, until the log closes.
func (l *Replicated) pull() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l.running.Go(func() {
		<-l.closing
		cancel()
	})
	for attempt := 0; ; {
		peer, wanted := l.source(attempt)
		if !wanted {
			attempt = 0
			select {
			case <-l.wake:
				continue
			case <-l.closing:
				return
			}
		}
		progress, err := l.pullFrom(ctx, peer)
		if errors.Is(err, ErrStopped) || errors.Is(err, ErrClosed) {
			<-l.closing
			return
		}
		if progress {
			attempt = 0
			continue
		}
		attempt++
		if l.sleep(ctx, pullAgain+time.Duration(l.rand.Uint64N(uint64(pullAgain)))) != nil {
			return
		}
	}
}

// source is the peer to pull from next, and whether there is a reason to.
func (l *Replicated) source(attempt int) (peer [16]byte, wanted bool) {
	s := l.state.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	for from, epoch := range l.claims {
		if epoch <= s.Epoch {
			delete(l.claims, from)
		}
	}
	best := uint64(0)
	for from, epoch := range l.claims {
		// The order of a map must not decide.
		if epoch > best || epoch == best && slices.Compare(from[:], peer[:]) < 0 {
			peer, best = from, epoch
		}
	}
	if best > 0 {
		return peer, true
	}
	for epoch := range l.waiting {
		wanted = wanted || epoch > s.Epoch
	}
	if !wanted || len(s.Members) == 0 {
		return peer, false
	}
	if leader := l.lastLeader(); attempt == 0 && leader != ([16]byte{}) && leader != l.opts.HostID {
		return leader, true
	}
	first := int(raftID(l.opts.HostID) % uint64(len(s.Members)))
	for i := range s.Members {
		if m := &s.Members[(first+attempt+i)%len(s.Members)]; m.HostID != l.opts.HostID {
			return m.HostID, true
		}
	}
	return peer, false
}

// pullFrom asks one peer and takes over what it has. What a peer without news
// claimed is forgotten.
func (l *Replicated) pullFrom(ctx context.Context, peer [16]byte) (progress bool, err error) {
	ctx, cancel := l.after(ctx, pullTimeout)
	defer cancel()
	s := l.state.Load()
	defer func() {
		if !progress {
			l.mu.Lock()
			delete(l.claims, peer)
			l.mu.Unlock()
		}
	}()
	body, err := l.network.Pull(ctx, peer, s.Epoch, s.at.hash)
	if err != nil {
		return false, err
	}
	p, err := decodePull(body)
	if err == nil && p.code == pullDiverged {
		l.setDiverged()
		return false, ErrDiverged
	}
	if err == nil && p.code != pullNothing {
		err = l.deliver(ctx, p)
	}
	if err != nil && !errors.Is(err, ErrStopped) && !errors.Is(err, ErrClosed) && ctx.Err() == nil {
		l.opts.Warn(fmt.Sprintf("metadata: pull from %x: %v", peer, err))
	}
	return l.state.Load().Epoch > s.Epoch, err
}

// deliver has the core take over what a peer sent.
func (l *Replicated) deliver(ctx context.Context, p *pulled) error {
	reply := make(chan answer, 1)
	select {
	case l.events <- event{kind: eventPulled, pulled: p, reply: reply}:
	case <-ctx.Done():
		return ctx.Err()
	case <-l.closing:
		return ErrClosed
	}
	select {
	case a := <-reply:
		return a.err
	case <-l.closing:
		return ErrClosed
	}
}

// setDiverged makes waiting end: no peer will have what continues our history.
func (l *Replicated) setDiverged() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.diverged {
		return
	}
	l.diverged = true
	close(l.advanced)
	l.advanced = make(chan struct{})
	l.opts.Warn(ErrDiverged.Error())
}
