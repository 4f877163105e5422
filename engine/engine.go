package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/compaction"
	"github.com/ilion-db/ilion/engine/manifest"
	"github.com/ilion-db/ilion/engine/memtable"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/internal/yield"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/sstable/cache"
)

// Engine is an open store.
type Engine struct {
	opts     Options
	log      *commitlog.Log
	manifest *manifest.Manifest
	cache    *cache.Cache
	arena    *arena
	unsynced *unsynced  // nil in mode periodic
	memory   *mem.Share // of memtables
	metadata *mem.Share

	network    *yield.Network // flushes and compactions yield to it
	cacheLimit int64          // bytes, of the share
	openFiles  atomic.Int64
	fileBytes  atomic.Int64 // of the table files that are open
	coming     atomic.Int64 // bytes of files that a start has yet to open, less those that are being replaced
	mapped     atomic.Int64 // bytes of files that mode auto maps
	cacheMu    sync.Mutex   // protects cacheNow
	cacheNow   int64        // the cache's limit

	logger *slog.Logger

	tables   atomic.Pointer[map[schema.TableID]*table]
	schemaMu chan struct{} // one slot: one ApplySchema or Close at a time
	schema   atomic.Pointer[schema.Snapshot]

	level      atomic.Uint32 // that files are written in
	nextFile   atomic.Uint64
	readers    sync.Pool // *reader
	rowReaders sync.Pool // *rowReader
	awaits     sync.Pool // await; the engine's own, since under virtual time a channel must not leave its bubble

	failure    atomic.Pointer[error]
	failed     chan struct{}
	diskFull   atomic.Bool
	closing    chan struct{}
	flushWake  chan struct{}
	background sync.WaitGroup

	discarding chan struct{} // one slot: protects discarded over I/O
	discarded  uint64        // segments of the log below it are gone

	spaceMu sync.Mutex
	space   chan struct{} // closed and replaced when a waiting write may try again

	// Protected by spaceMu: how many memtables are being written, and what is
	// closed when none is.
	flushing  int
	flushIdle chan struct{}

	compactMu    sync.Mutex // protects the next three, compacting of tables, purgingTo of tasks
	tasks        map[uint64]*task
	lastTask     uint64
	taskDone     chan struct{} // closed and replaced when a task ends
	compactWake  chan struct{}
	compactSlots chan struct{} // holds a token for each task that runs

	snapshots chan struct{} // one slot: snapshots are made and removed one after the other

	stats    stats
	replayed Replayed
}

// RaiseLevel makes table files that are begun from now on be written in a
// higher format level, of a cluster all of whose nodes read it; a lower one
// changes nothing. The directory's identity must say so durably before.
func (e *Engine) RaiseLevel(level uint16) {
	for {
		now := e.level.Load()
		if uint32(level) <= now || e.level.CompareAndSwap(now, uint32(level)) {
			return
		}
	}
}

// table returns the table with that id.
func (e *Engine) table(id schema.TableID) (*table, error) {
	if t := (*e.tables.Load())[id]; t != nil {
		return t, nil
	}
	return nil, &UnknownTableError{id}
}

// allTables returns the tables in no particular order.
func (e *Engine) allTables() map[schema.TableID]*table { return *e.tables.Load() }

func (e *Engine) newMemtable(id schema.TableID) *memtable.Memtable {
	return memtable.New(id, e.arena)
}

// fail stops acknowledgements for good.
func (e *Engine) fail(err error) {
	err = fmt.Errorf("%w: %w", ErrFailed, err)
	if e.failure.CompareAndSwap(nil, &err) {
		e.logger.Error("engine stopped", "error", err)
		close(e.failed)
		e.wakeWriters()
	}
}

// Failed is closed when the engine has failed; Err then tells why.
func (e *Engine) Failed() <-chan struct{} { return e.failed }

// Err is why the engine failed, or nil.
func (e *Engine) Err() error {
	if p := e.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// writable refuses writes that cannot be taken now.
func (e *Engine) writable() error {
	if p := e.failure.Load(); p != nil {
		return *p
	}
	if e.diskFull.Load() {
		return ErrDiskFull
	}
	if e.memory.Used() >= e.memoryLimit() {
		e.wakeFlush()
		return mutation.ErrWouldBlock
	}
	if e.memory.Used() >= e.opts.MemtableSize {
		e.wakeFlush()
	}
	return nil
}

// maxMemtables bounds the memtables, in bytes, whatever their share: one alone
// can name 8,192 chunks (see package memtable), of at least 1 MiB but for the
// first few.
const maxMemtables = 6 << 30

// memoryLimit is the memory of memtables at which writes wait.
func (e *Engine) memoryLimit() int64 { return min(e.memory.Limit(), maxMemtables) }

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (e *Engine) wakeFlush() { wake(e.flushWake) }

// wakeWriters lets every waiting write try again.
func (e *Engine) wakeWriters() {
	e.spaceMu.Lock()
	defer e.spaceMu.Unlock()
	close(e.space)
	e.space = make(chan struct{})
}

// retryAfter bounds how long a write waits for the log's buffer before it
// looks again: the log has no way to tell.
const retryAfter = 200_000 // nanoseconds

// waitWritable waits until a write that would block may be tried again.
func (e *Engine) waitWritable(ctx context.Context) error {
	e.spaceMu.Lock()
	space := e.space
	e.spaceMu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-e.closing:
		return ErrClosed
	case <-space:
	case <-e.opts.Clock.After(retryAfter):
	}
	return nil
}

// ApplySchema makes the engine follow a new snapshot: tables that are new get
// their place, those that are gone lose their data.
func (e *Engine) ApplySchema(s *schema.Snapshot) error {
	e.schemaMu <- struct{}{}
	defer func() { <-e.schemaMu }()
	select {
	case <-e.closing:
		return ErrClosed
	default:
	}
	return e.applySchema(s)
}

func (e *Engine) applySchema(s *schema.Snapshot) error {
	next := maps.Clone(e.allTables())
	live := map[schema.TableID]bool{}
	for _, ks := range s.Keyspaces {
		for _, def := range ks.Tables {
			if def.Virtual {
				continue
			}
			live[def.ID] = true
			t := next[def.ID]
			if t == nil {
				t = newTable(e, def)
				if e.opts.ExplicitPurge && replicated(ks) {
					t.purge.wait()
				}
				m := t.newMemory()
				t.publish([]*memory{m}, nil)
				m.drop()
				next[def.ID] = t
			}
			if t.def.Load() == def && t.durable.Load() == ks.DurableWrites && t.plain.Load() != nil {
				continue
			}
			t.def.Store(def)
			t.plain.Store(plainOf(def))
			t.setCompaction(def)
			t.durable.Store(ks.DurableWrites)
		}
	}
	var gone []*table
	for id, t := range next {
		if !live[id] {
			gone = append(gone, t)
			delete(next, id)
		}
	}
	e.schema.Store(s)
	e.tables.Store(&next)
	var err error
	for _, t := range gone {
		err = errors.Join(err, t.drop())
	}
	if len(gone) > 0 {
		e.discardLog()
		e.wakeWriters()
	}
	return err
}

// drop forgets a table that the schema does not have any more: its memory at
// once, its files when the manifest says so. On a full disk that comes later.
func (t *table) drop() error {
	t.end(&UnknownTableError{t.id})
	t.change <- struct{}{}
	defer func() { <-t.change }()
	files := t.current.Load().files
	t.first.Store(noPosition)
	t.flushing.Store(noPosition)
	m := t.newMemory()
	t.publish([]*memory{m}, nil)
	m.drop()
	err := t.forget(files)
	if errors.Is(err, vfs.ErrNoSpace) {
		t.engine.logger.Warn("disk full: the files of a dropped table are removed when there is space", "table", t.name())
		t.engine.background.Go(func() { t.forgetLater(files) })
		return nil
	}
	return err
}

// forget takes the table out of the manifest and gives up its files, which it
// keeps if the manifest cannot be written.
func (t *table) forget(files []*file) error {
	var edit manifest.Edit
	edit.DropTable(t.id)
	err := t.engine.commit(&edit)
	if errors.Is(err, vfs.ErrNoSpace) {
		return err
	}
	for _, f := range files {
		f.obsolete.Store(err == nil)
		f.drop()
	}
	return err
}

// forgetLater is forget until there is space. If the engine closes before, the
// next start does it.
func (t *table) forgetLater(files []*file) {
	for {
		select {
		case <-t.engine.closing:
			for _, f := range files {
				f.drop()
			}
			return
		case <-t.engine.opts.Clock.After(flushRetry):
		}
		if err := t.forget(files); !errors.Is(err, vfs.ErrNoSpace) {
			return
		}
	}
}

// commit makes a manifest edit durable. A full disk is waited out; anything
// else that goes wrong stops the engine.
func (e *Engine) commit(edit *manifest.Edit) error {
	err := e.manifest.Apply(edit)
	if errors.Is(err, manifest.ErrFailed) {
		e.fail(err)
	}
	return err
}

// setCompaction takes over the options of compaction.
func (t *table) setCompaction(def *schema.Table) {
	o, err := compaction.ParseOptions(def.Options.Compaction)
	if err != nil {
		// The schema checks what it is given; this is of another version.
		t.engine.logger.Error("compaction options are not understood: the table is not compacted",
			"table", t.name(), "error", err)
		o.Enabled = false
	}
	t.compaction.Store(&o)
	t.due.Store(true)
}

// name is the table's for messages.
func (t *table) name() string { d := t.def.Load(); return d.Keyspace + "." + d.Name }

func (t *table) dir() string {
	return t.engine.opts.Dir + "/data/" + hex.EncodeToString(t.id[:])
}

// Close flushes nothing: what is in memory is in the log. It stops the
// background work, syncs the log and gives everything back. Sources should be
// closed before; Close waits for them for a while.
func (e *Engine) Close() error {
	e.schemaMu <- struct{}{}
	defer func() { <-e.schemaMu }()
	select {
	case <-e.closing:
		return ErrClosed
	default:
	}
	e.compactMu.Lock() // see enter
	close(e.closing)
	e.compactMu.Unlock()
	e.wakeWriters()
	e.background.Wait()
	err := e.log.Close()
	if closeErr := e.manifest.Close(); err == nil {
		err = closeErr
	}
	for _, t := range e.allTables() {
		t.end(ErrClosed)
		v := t.current.Swap(nil)
		for _, f := range v.files {
			f.drop()
		}
		v.drop()
	}
	if !e.drain() {
		// What they read must not be unmapped under them.
		return errors.Join(err, errors.New("engine: closed while reads were open"))
	}
	e.cache.Close()
	e.arena.close()
	e.network.Close()
	return err
}

// closeTimeout is how long Close waits for reads that are still open.
const closeTimeout = 10 * time.Second

// drain waits until no read holds a file or a memtable any more.
func (e *Engine) drain() bool {
	for range closeTimeout / time.Millisecond {
		if e.openFiles.Load() == 0 && e.arena.idle() {
			return true
		}
		e.opts.Clock.Sleep(time.Millisecond)
	}
	return false
}
