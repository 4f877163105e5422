package query

import (
	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

const (
	// maxGroup bounds the executions of each kind that are done at once.
	maxGroup = 256
	// maxGroupBytes bounds their records: the log takes one group of records.
	maxGroupBytes = 256 << 10
)

// group implements session.Group: writes are encoded straight from their values
// into one buffer and applied by one call, reads are looked up together.
type group struct {
	p      *Processor
	snap   *schema.Snapshot
	opts   plan.Options
	direct plan.Direct

	// Writes, of one level.
	write   cluster.Write
	records []byte
	ends    []int // of each record in records
	stamp   func() int64

	// Reads, of one table and level.
	reads     []groupRead
	keys      []mutation.RowKey
	keyBytes  []byte // of keys that do not alias values
	readLevel ring.ConsistencyLevel
	reader    *exec.Reader
	answers   session.Answers // during Read
	bytes     int             // of the rows that it has met
	now       uint32
}

// groupRead is a read that was added.
type groupRead struct {
	sel    *plan.Select
	answer bool
}

// NewGroup implements session.Grouper.
func (p *Processor) NewGroup() session.Group {
	return &group{p: p, reader: exec.NewReader(p.cfg.PagingKey), stamp: p.cluster.Now}
}

// Begin implements session.Group.
func (g *group) Begin() {
	g.snap = g.p.Schema()
	g.opts = plan.Options{}
	if g.p.cfg.Level() >= level.Origins {
		g.opts.Coordinator = g.p.cfg.HostID
	}
	g.dropWrites()
	g.dropReads()
}

func (g *group) dropWrites() {
	g.ends = g.ends[:0]
	clear(g.write.Records)
	g.write.Records, g.write.Done = g.write.Records[:0], nil
	if g.records = g.records[:0]; cap(g.records) > 2*maxGroupBytes {
		g.records = nil
	}
}

func (g *group) dropReads() {
	clear(g.reads)
	clear(g.keys)
	g.reads, g.keys, g.keyBytes = g.reads[:0], g.keys[:0], g.keyBytes[:0]
}

// Add implements session.Group.
func (g *group) Add(e *session.Execution) session.Added {
	st, ok := e.Prepared.Statement.(*statement)
	if !ok {
		return session.AddedNot
	}
	pl := st.ready(g.snap)
	if pl == nil || len(e.Values) != len(pl.Bind.Columns()) {
		return session.AddedNot
	}
	switch pl.Kind {
	case plan.KindModification:
		if pl.Modification.Direct() && g.addWrite(e, pl.Modification) {
			return session.AddedWrite
		}
	case plan.KindSelect:
		if pl.Select.Direct() && g.addRead(e, pl.Select) {
			return session.AddedRead
		}
	}
	return session.AddedNot
}

func (g *group) addWrite(e *session.Execution, m *plan.Modification) bool {
	cl := ring.ConsistencyLevel(e.Consistency)
	switch n := len(g.ends); {
	case n == 0:
		g.write.Consistency = cl
	case n == maxGroup, len(g.records) > maxGroupBytes, g.write.Consistency != cl:
		return false
	}
	g.opts.Timestamp, g.opts.HasTimestamp = e.Timestamp, e.HasTimestamp
	before := len(g.records)
	out, ok := m.AppendDirect(&g.direct, g.records, e.Values, &g.opts, g.stamp)
	if !ok || len(out)-before > g.p.cfg.MaxMutation {
		return false
	}
	g.records = out
	g.ends = append(g.ends, len(out))
	return true
}

// Write implements session.Group.
func (g *group) Write(done mutation.Completer) bool {
	start := 0
	for _, end := range g.ends {
		g.write.Records = append(g.write.Records, g.records[start:end:end])
		start = end
	}
	n := len(g.ends)
	g.write.Done = done
	if g.p.cluster.TryWriteEach(&g.write) != nil {
		g.dropWrites()
		return false
	}
	g.p.stats.inline.Add(uint64(n))
	return true
}

// WriteError implements session.Group.
func (g *group) WriteError(i int, err error) *native.Error {
	c := call{level: g.write.Consistency, writeType: native.WriteSimple, table: g.write.Records[i].Table()}
	return g.p.mapError(&c, err)
}

func (g *group) addRead(e *session.Execution, s *plan.Select) bool {
	cl := ring.ConsistencyLevel(e.Consistency)
	switch n := len(g.reads); {
	case n == 0:
		g.readLevel = cl
	case n == maxGroup, g.readLevel != cl, g.reads[0].sel.Table != s.Table:
		return false
	}
	key, clustering, ok := s.DirectRow(&g.direct, e.Values)
	if !ok {
		return false
	}
	k := mutation.RowKey{Key: key}
	if len(s.Table.PartitionKey) > 1 {
		k.Key.Key = g.keep(key.Key)
	}
	if len(clustering) > 0 {
		k.Clustering = g.keep(clustering)
	}
	g.reads = append(g.reads, groupRead{sel: s})
	g.keys = append(g.keys, k)
	return true
}

// keep copies bytes that are used again.
func (g *group) keep(b []byte) []byte {
	start := len(g.keyBytes)
	g.keyBytes = append(g.keyBytes, b...)
	return g.keyBytes[start:len(g.keyBytes):len(g.keyBytes)]
}

// Read implements session.Group.
func (g *group) Read(to session.Answers) {
	g.answers, g.bytes = to, 0
	g.now = uint32(g.p.clock.Now().Unix())
	g.p.cluster.TryRows(g.reads[0].sel.Table.ID, g.keys, g.now, g.readLevel, g)
	g.answers = nil
	n := 0
	for i := range g.reads {
		if g.reads[i].answer {
			n++
		}
	}
	g.p.stats.inline.Add(uint64(n))
	g.dropReads()
}

// groupBytes bounds the rows that a group answers. The rest become requests, which
// wait for a client that takes its answers slower than they are made.
const groupBytes = 256 << 10

// Row implements mutation.RowReceiver.
func (g *group) Row(i int, row []byte) {
	if g.bytes += len(row); g.bytes > groupBytes {
		return
	}
	rd := &g.reads[i]
	buffer, rows := g.answers.Buffer(i), 0
	if row != nil {
		k := &g.keys[i]
		out, live, ok := g.reader.AppendRow(buffer, rd.sel, g.now, &k.Key, k.Clustering, row)
		if !ok {
			return
		}
		if buffer = out; live {
			rows = 1
		}
	}
	rd.answer = true
	g.answers.Row(i, rd.sel.Result, buffer, rows)
}
