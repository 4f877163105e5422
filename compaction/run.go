package compaction

import (
	"context"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Writer takes the output of a merge. Slices it is given are valid during the
// call only.
type Writer interface {
	BeginPartition(p *mutation.Partition) error
	AddRow(clustering, row []byte) error
	AddBoundary(clustering []byte, before, after mutation.Deletion) error
	EndPartition() error
	// Cut ends the file; the next partition begins another. It may be called
	// when nothing was written since the last cut.
	Cut() error
}

// Job is one merge.
type Job struct {
	// Inputs are read forward, from their start. Run closes them.
	Inputs []mutation.Source
	Out    Writer
	// Cuts are the tokens, ascending, with which a new file begins.
	Cuts []ring.Token

	Now      uint32 // seconds since 1970; what has expired by then is dead
	GCBefore uint32 // tombstones of a local time below it may go, 0 for none
	// MaxPurgeable returns for a partition the smallest timestamp of whatever
	// else the node holds of it: files that are not inputs, memtables,
	// unreplayed segments, incoming streams. math.MaxInt64 means that there is
	// nothing. If it is nil, nothing is purged.
	MaxPurgeable func(token ring.Token, key []byte) int64
	// Dropped are the ids of dropped columns, ascending.
	Dropped []schema.ColumnID

	// Yield, if set, is called after every 64 KiB or so of input with the bytes
	// read since the last call. It may wait; its error ends the merge.
	Yield func(bytes int) error
	// Observer, if set, is told of each partition that was written.
	Observer func(p *mutation.Partition, rows int64)
}

// Result tells what a merge did.
type Result struct {
	Partitions, Rows int64 // written
	BytesIn          int64 // of keys and rows, after reconciling
	Purged           int64 // deletions and expired cells that went
	// PurgedTo is the largest local deletion time that was purged, seconds
	// since 1970. It has to be durable before the inputs are removed.
	PurgedTo uint32
}

// yieldBytes is the input after which a merge yields, and itemBytes what an
// item costs beside its bytes, so that tiny ones count.
const (
	yieldBytes = 64 << 10
	itemBytes  = 16
)

// Run merges the inputs of the job into its writer. It neither cuts at the end
// nor finishes the writer. On an error the output is to be thrown away.
func Run(ctx context.Context, j *Job) (Result, error) {
	r := runner{job: j, ctx: ctx, cuts: j.Cuts,
		purger: mutation.Purger{Now: j.Now, GCBefore: j.GCBefore, Dropped: j.Dropped}}
	r.merge.Init(j.Inputs, false)
	defer invariant.Release(r.merge.Close)
	for r.merge.NextPartition() {
		if err := r.partition(); err != nil {
			return r.result, err
		}
	}
	r.result.Purged, r.result.PurgedTo = r.purger.Purged, r.purger.PurgedTo
	return r.result, r.merge.Err()
}

type runner struct {
	job     *Job
	ctx     context.Context
	merge   mutation.Merge
	purger  mutation.Purger
	cuts    []ring.Token
	part    mutation.Partition // as it will be written
	begun   bool               // part was given to the writer
	written bool               // something, since the last cut
	open    mutation.Deletion  // in force in the output
	static  []byte
	row     []byte
	rows    int64 // of the partition
	since   int   // bytes since the last yield
	result  Result
}

// partition merges the current partition.
func (r *runner) partition() error {
	p := r.merge.Partition()
	if err := r.cut(p.Token); err != nil {
		return err
	}
	r.setBound(p)
	r.part = mutation.Partition{Token: p.Token, Key: p.Key, Deletion: r.purger.Deletion(p.Deletion)}
	r.begun, r.rows, r.open = false, 0, mutation.Deletion{}
	if p.Static != nil {
		static, err := r.purger.Row(r.static, p.Static)
		if err != nil {
			return err
		}
		if static != nil {
			r.part.Static = static
			r.static = keep(r.static, static, p.Static)
		}
	}
	if r.part.Deletion.Set || r.part.Static != nil {
		if err := r.begin(); err != nil {
			return err
		}
	}
	if err := r.spent(len(p.Key) + len(p.Static)); err != nil {
		return err
	}
	for r.merge.Next() {
		if err := r.item(r.merge.Item()); err != nil {
			return err
		}
	}
	if r.merge.Err() != nil || !r.begun {
		return r.merge.Err()
	}
	if r.job.Observer != nil {
		r.job.Observer(&r.part, r.rows)
	}
	r.result.Partitions++
	r.result.Rows += r.rows
	return r.job.Out.EndPartition()
}

// setBound asks for what the partition's deletions may shadow elsewhere.
func (r *runner) setBound(p *mutation.Partition) {
	if r.job.MaxPurgeable == nil {
		// Nothing is below the smallest timestamp.
		r.purger.MaxTimestamp = -1 << 63
		return
	}
	r.purger.MaxTimestamp = r.job.MaxPurgeable(p.Token, p.Key)
}

// keep returns buf, grown to what the purger has made of it, unless the purger
// passed the row through.
func keep(buf, out, row []byte) []byte {
	if len(out) > 0 && &out[0] != &row[0] {
		return out
	}
	return buf
}

// begin gives the partition to the writer, once there is something in it.
func (r *runner) begin() error {
	if r.begun {
		return nil
	}
	r.begun, r.written = true, true
	return r.job.Out.BeginPartition(&r.part)
}

// cut ends the file if the token belongs into another.
func (r *runner) cut(token ring.Token) error {
	due := false
	for len(r.cuts) > 0 && token >= r.cuts[0] {
		r.cuts = r.cuts[1:]
		due = true
	}
	if !due || !r.written {
		return nil
	}
	r.written = false
	return r.job.Out.Cut()
}

func (r *runner) item(it *mutation.Item) error {
	if err := r.spent(len(it.Clustering) + len(it.Row)); err != nil {
		return err
	}
	if it.Kind == mutation.ItemBoundary {
		return r.boundary(it)
	}
	row, err := r.purger.Row(r.row, it.Row)
	if err != nil || row == nil {
		return err
	}
	r.row = keep(r.row, row, it.Row)
	if err := r.begin(); err != nil {
		return err
	}
	r.rows++
	return r.job.Out.AddRow(it.Clustering, row)
}

// boundary writes a boundary unless purging has made it say nothing.
func (r *runner) boundary(it *mutation.Item) error {
	after := r.purger.Deletion(it.After)
	if after == r.open {
		return nil
	}
	if err := r.begin(); err != nil {
		return err
	}
	before := r.open
	r.open = after
	return r.job.Out.AddBoundary(it.Clustering, before, after)
}

// spent counts input and lets others run from time to time.
func (r *runner) spent(n int) error {
	r.result.BytesIn += int64(n)
	if r.since += n + itemBytes; r.since < yieldBytes {
		return nil
	}
	since := r.since
	r.since = 0
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.job.Yield != nil {
		return r.job.Yield(since)
	}
	return nil
}
