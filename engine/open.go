package engine

import (
	"encoding/hex"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/engine/manifest"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/internal/yield"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/sstable"
	"github.com/ilion-db/ilion/sstable/cache"
)

// Open opens or makes the store in o.Dir: reads the manifest, opens what it
// names, removes what it does not, replays the log and starts the background
// work. The caller makes sure that nobody else has the directory open.
func Open(o Options) (*Engine, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	for _, d := range []string{o.Dir, o.Dir + "/data"} {
		if err := vfs.MkdirAllSync(o.FS, d); err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
	}
	e := &Engine{
		opts: o, logger: o.Log, memory: o.Budget.Share(mem.Memtable), metadata: o.Budget.Share(mem.Metadata),
		schemaMu: make(chan struct{}, 1), failed: make(chan struct{}), closing: make(chan struct{}),
		flushWake: make(chan struct{}, 1), compactWake: make(chan struct{}, 1), space: make(chan struct{}), snapshots: make(chan struct{}, 1),
		discarding: make(chan struct{}, 1), tasks: map[uint64]*task{}, taskDone: make(chan struct{}),
		compactSlots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), network: yield.New(o.Clock),
	}
	e.level.Store(uint32(o.Level))
	empty := map[schema.TableID]*table{}
	e.tables.Store(&empty)
	m, err := manifest.Open(o.FS, o.Dir+"/data")
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	e.manifest = m
	if !o.NoCache {
		e.cacheLimit = o.Budget.Share(mem.Cache).Limit()
	}
	if o.Sync != commitlog.Periodic {
		e.unsynced = new(unsynced)
	}
	e.cacheNow = e.cacheLimit
	e.cache = cache.New(e.cacheLimit)
	e.arena = newArena(e.memory, func(err error) { e.fail(fmt.Errorf("memory of a memtable: %w", err)) })
	if err := e.load(); err != nil {
		e.abandon()
		return nil, err
	}
	e.background.Go(e.flushLoop)
	e.wakeFlush() // for what the replay has written to files
	e.background.Go(e.spaceLoop)
	if !o.NoCompaction {
		e.background.Go(e.compactLoop)
	}
	return e, nil
}

// abandon gives back what a failed Open holds.
func (e *Engine) abandon() {
	for _, t := range e.allTables() {
		v := t.current.Load()
		for _, f := range v.files {
			f.drop()
		}
		v.drop()
	}
	e.cache.Close()
	e.arena.close()
	e.network.Close()
	e.manifest.Close()
}

// load fills the engine from its directory.
func (e *Engine) load() error {
	state := e.manifest.State()
	e.nextFile.Store(state.NextFileID)
	if err := e.applySchema(e.opts.Schema); err != nil {
		return err
	}
	if err := e.forgetDropped(state); err != nil {
		return err
	}
	if err := e.removeOrphans(state); err != nil {
		return err
	}
	if err := e.removeHalfSnapshots(); err != nil {
		return err
	}
	for id := range e.allTables() {
		if s := state.Tables[id]; s != nil {
			for _, f := range s.Files {
				e.coming.Add(f.Size)
			}
		}
	}
	for id, t := range e.allTables() {
		if err := t.load(state.Tables[id]); err != nil {
			return err
		}
	}
	return e.replay(state)
}

// forgetDropped finishes the drop of tables whose schema change was durable
// before the manifest heard of it.
func (e *Engine) forgetDropped(state *manifest.State) error {
	var edit manifest.Edit
	for id := range state.Tables {
		if e.allTables()[id] == nil {
			edit.DropTable(id)
			delete(state.Tables, id)
		}
	}
	if edit.Empty() {
		return nil
	}
	return e.commit(&edit)
}

// removeOrphans removes files that the manifest does not name: outputs of a
// flush or compaction that did not end, and inputs of one that did.
func (e *Engine) removeOrphans(state *manifest.State) error {
	root := e.opts.Dir + "/data"
	dirs, err := e.opts.FS.List(root)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	for _, d := range dirs {
		raw, err := hex.DecodeString(d)
		if err != nil || len(raw) != 16 {
			continue
		}
		t := state.Tables[schema.TableID(raw)]
		if t == nil && e.allTables()[schema.TableID(raw)] == nil {
			if err := e.opts.FS.RemoveAll(root + "/" + d); err != nil {
				return fmt.Errorf("engine: %w", err)
			}
			continue
		}
		names, err := e.opts.FS.List(root + "/" + d)
		if err != nil {
			return fmt.Errorf("engine: %w", err)
		}
		for _, n := range names {
			id, err := strconv.ParseUint(strings.TrimSuffix(n, ".sst"), 10, 64)
			if err != nil || !strings.HasSuffix(n, ".sst") {
				continue // not ours
			}
			if t != nil {
				if _, live := t.Files[id]; live {
					continue
				}
			}
			e.removeFile(root + "/" + d + "/" + n)
			e.nextFile.Store(max(e.nextFile.Load(), id+1))
		}
	}
	return nil
}

// load opens the table's files.
func (t *table) load(s *manifest.Table) error {
	if s == nil {
		return nil
	}
	t.flushedTo = s.Flushed
	var files []*file
	for id, want := range s.Files {
		t.engine.coming.Add(-want.Size)
		f, err := t.openFile(id)
		if err == nil && f.size != want.Size {
			f.drop()
			err = &sstable.CorruptError{File: f.path, Offset: f.size, Detail: fmt.Sprintf("file has %d bytes, the manifest says %d", f.size, want.Size)}
		}
		if err != nil {
			for _, f := range files {
				f.drop()
			}
			return fmt.Errorf("engine: table %s.%s: %w", t.def.Load().Keyspace, t.def.Load().Name, err)
		}
		files = append(files, f)
	}
	t.publish(t.current.Load().mems, files)
	return nil
}

// openFile opens a file of the table.
func (t *table) openFile(id uint64) (*file, error) {
	e := t.engine
	path := fmt.Sprintf("%s/%d.sst", t.dir(), id)
	info, err := e.opts.FS.Stat(path)
	if err != nil {
		return nil, err
	}
	o := e.openOptions(info.Size, id)
	r, err := sstable.Open(e.opts.FS, path, o)
	if err != nil {
		return nil, err
	}
	f := &file{Reader: r, id: id, size: info.Size, created: r.CreatedAt(), engine: e, path: path}
	f.init()
	if n := r.Properties().Counts.Partitions; n > 0 {
		f.wide = r.Properties().RawBytes/n >= wideFrom
	}
	e.charge(f, &o)
	return f, nil
}

// wideFrom is the average partition of a file, in bytes, from which on reads
// of more than a row read ahead.
const wideFrom = 64 << 10
