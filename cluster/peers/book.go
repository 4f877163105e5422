package peers

import (
	"errors"
	"fmt"
	"sync"

	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/vfs"
)

// Peer is what a node says of its disk.
type Peer struct {
	HostID, DiskID [16]byte
	BootCount      uint64
	ClockMark      int64 // microseconds
	// Instance is of the process that said so, made anew by each start; 0 if it
	// is not known.
	Instance uint64
}

// LostError is about a node whose disk has not what it had before.
type LostError struct {
	Peer, Before Peer
}

// Error says what happened and what to do.
func (e *LostError) Error() string {
	if e.Peer.DiskID != e.Before.DiskID {
		return fmt.Sprintf("host %x came with disk %x before and comes with disk %x now: the writes that it had acknowledged are not there. "+
			"Start it on the data directory that it had", e.Peer.HostID, e.Before.DiskID, e.Peer.DiskID)
	}
	return fmt.Sprintf("the data directory of host %x is an older state of itself (clock mark %d, start %d; before it had mark %d, start %d): "+
		"the writes that it has acknowledged since are not there. Start it on the newest state of its data directory",
		e.Peer.HostID, e.Peer.ClockMark, e.Peer.BootCount, e.Before.ClockMark, e.Before.BootCount)
}

// Book is what is remembered of the others.
type Book struct {
	fs   vfs.FS
	name string

	mu      sync.Mutex // protects what follows
	known   map[[16]byte]Peer
	changed bool

	turn chan struct{} // of capacity 1, full while nobody saves
}

// Open reads the file, which need not be there yet.
func Open(fs vfs.FS, name string) (*Book, error) {
	b := &Book{fs: fs, name: name, known: map[[16]byte]Peer{}, turn: make(chan struct{}, 1)}
	b.turn <- struct{}{}
	p, err := vfs.ReadFile(fs, name, maxFile)
	if errors.Is(err, vfs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	all, err := decodePeers(name, p)
	for _, peer := range all {
		b.known[peer.HostID] = peer
	}
	return b, err
}

// Check tells whether a node has what it had when it was heard last; the error
// is a *LostError. A process that was heard before has not gone back to an older
// disk: what it says with an older mark it has said earlier, and it comes late.
// Each start makes a higher boot count durable before others hear of it: another
// process with the same one runs on a state of before that start.
func (b *Book) Check(p Peer) error {
	b.mu.Lock()
	before, known := b.known[p.HostID]
	b.mu.Unlock()
	if !known || fail.Mutant("accept-lost-disk") {
		return nil
	}
	both := p.Instance != 0 && before.Instance != 0
	same := both && p.Instance == before.Instance
	older := p.ClockMark < before.ClockMark || p.BootCount < before.BootCount || both && p.BootCount == before.BootCount
	if p.DiskID != before.DiskID || !same && older {
		return &LostError{p, before}
	}
	return nil
}

// Hear remembers what a node that Check does not refuse says. Marks of the same
// disk do not go back: what a process has said may be heard after its successor,
// by who waited for the rest of its answer meanwhile.
func (b *Book) Hear(p Peer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, known := b.known[p.HostID]
	if known {
		if before.DiskID != p.DiskID {
			return
		}
		// The instance is of the newest start that was heard of.
		if p.BootCount < before.BootCount || p.BootCount == before.BootCount && p.Instance == 0 {
			p.Instance = before.Instance
		}
		p.BootCount, p.ClockMark = max(p.BootCount, before.BootCount), max(p.ClockMark, before.ClockMark)
	}
	if p == before || !known && len(b.known) == maxPeers {
		return
	}
	b.known[p.HostID] = p
	b.changed = true
}

// Forget is for a node that is no member any more.
func (b *Book) Forget(host [16]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.known[host]; known {
		delete(b.known, host)
		b.changed = true
	}
}

// Save makes durable what was heard, if that is new.
func (b *Book) Save() error {
	<-b.turn
	defer func() { b.turn <- struct{}{} }()
	b.mu.Lock()
	changed := b.changed
	b.changed = false
	all := make([]Peer, 0, len(b.known))
	for _, p := range b.known {
		all = append(all, p)
	}
	b.mu.Unlock()
	if !changed {
		return nil
	}
	if err := vfs.WriteFileAtomic(b.fs, b.name, appendPeers(nil, all)); err != nil {
		b.mu.Lock()
		b.changed = true
		b.mu.Unlock()
		return fmt.Errorf("peers: %w", err)
	}
	return nil
}
