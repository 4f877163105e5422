package engine

import (
	"github.com/ilion-db/ilion/sstable"
)

// mapAtMost bounds a file that mode auto maps, in bytes.
const mapAtMost = 64 << 20

// openOptions are how a file of the table is read.
func (e *Engine) openOptions(size int64, id uint64) sstable.OpenOptions {
	o := sstable.OpenOptions{Cache: e.cache, FileID: id, Access: sstable.AccessDirect}
	switch e.opts.Access {
	case AccessMmap:
		o.Access = sstable.AccessMmap
	case AccessAuto:
		// A file that fits into a small part of what the cache has free is
		// mapped and populated: its blocks then cost no read. Mappings take at
		// most half of the cache's share.
		free := e.cacheLimit - e.mapped.Load() - e.cache.Stats().Bytes
		switch {
		case size <= mapAtMost && size*4 <= free && e.mapped.Load()+size <= e.cacheLimit/2:
			o.Access, o.Populate = sstable.AccessMmap, true
		case e.pageCacheHolds(size):
			o.Access = sstable.AccessBuffered
		}
	}
	return o
}

// pageCacheHolds tells whether the machine has so much memory that its page
// cache can hold all table files and one of size bytes more: a block that our
// own cache does not have is then a copy and no read of the disk. Half of what
// the process may not use is counted: others may want it, too. Where files do
// not fit, reads through the page cache cost more than those past it, and push
// out what others have there.
func (e *Engine) pageCacheHolds(size int64) bool {
	return (e.fileBytes.Load()+e.coming.Load()+size)*2 <= e.opts.FS.Memory()-e.opts.Budget.Total()
}

// charge accounts for the memory that an open file takes. It is there already
// and cannot be refused: what exceeds the metadata's share, and what mode auto
// maps, is taken from the cache.
func (e *Engine) charge(f *file, o *sstable.OpenOptions) {
	f.metadata = int64(f.MetadataBytes())
	if o.Populate {
		f.mapped = f.size
	}
	e.openFiles.Add(1)
	e.fileBytes.Add(f.size)
	e.metadata.Force(f.metadata)
	e.mapped.Add(f.mapped)
	e.limitCache()
}

// discharge is called when the file is closed.
func (e *Engine) discharge(f *file) {
	e.metadata.Release(f.metadata)
	e.mapped.Add(-f.mapped)
	e.fileBytes.Add(-f.size)
	e.limitCache()
	e.openFiles.Add(-1) // last: Close goes on after it
}

// limitCache gives the cache what the files leave of its share, and a quarter
// at least: a store with more metadata than that needs more memory, and says
// so in its metrics.
func (e *Engine) limitCache() {
	e.cacheMu.Lock()
	defer e.cacheMu.Unlock()
	limit := e.cacheLimit - e.mapped.Load() - max(0, e.metadata.Used()-e.metadata.Limit())
	limit = max(limit, e.cacheLimit/4)
	if limit != e.cacheNow {
		e.cacheNow = limit
		e.cache.SetLimit(limit)
	}
}
