package node_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/query"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/sim/history"
	"github.com/ilion-db/ilion/ring"
)

const (
	simPartitions = 12
	simRows       = 6
	simReplicas   = 3
	// simPace is the mean time between the starts of two operations, whatever
	// became of those before.
	simPace = 9500 * time.Microsecond
	// simPatience is how long a client waits for a node.
	simPatience = 20 * time.Second
)

var errDown = errors.New("the node is down")

type atomicNode = atomic.Pointer[node.Node]

// simTable is a table with the history of what was done to it.
type simTable struct {
	name string
	h    *history.History
}

// violations keeps the first of what must not be.
type violations struct {
	mu    sync.Mutex // protects first
	first error
}

func (v *violations) note(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.first == nil {
		v.first = err
	}
}

func (v *violations) err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.first
}

// simLoad is clients at work.
type simLoad struct {
	s    *simulation
	stop chan struct{}
	wg   sync.WaitGroup
	work chan *rand.Source // to clients that have nothing to do

	operations atomic.Int64
}

// startClients begins operations that do not wait for each other; what each of
// them does follows from the seed and its number.
func (s *simulation) startClients(seed uint64) *simLoad {
	l := &simLoad{s: s, stop: make(chan struct{}), work: make(chan *rand.Source)}
	l.wg.Go(func() {
		pace := rand.NewSeeded(seed<<32 | 1)
		for {
			select {
			case <-s.w.Clock.After(time.Duration(pace.Uint64N(uint64(2*simPace))) | 1):
			case <-l.stop:
				return
			}
			if s.found.err() != nil {
				continue
			}
			r := rand.NewSeeded(seed<<32 + uint64(l.operations.Add(1))<<1)
			select {
			case l.work <- r:
			default:
				l.wg.Go(func() { l.client(r) })
			}
		}
	})
	return l
}

// client operates once, and again whenever there is more to do.
func (l *simLoad) client(r *rand.Source) {
	for {
		if err := l.s.operate(r); err != nil {
			l.s.found.note(err)
		}
		select {
		case r = <-l.work:
		case <-l.stop:
			return
		}
	}
}

// end stops the clients and gives the totals.
func (l *simLoad) end() (sum history.Counts) {
	close(l.stop)
	l.wg.Wait()
	for _, t := range l.s.table {
		c := t.h.Counts()
		sum.Acked += c.Acked
		sum.Failed += c.Failed
		sum.Unknown += c.Unknown
		sum.Reads += c.Reads
		sum.ReadsFailed += c.ReadsFailed
	}
	return sum
}

// operate writes, deletes or reads once.
func (s *simulation) operate(r *rand.Source) error {
	t := s.table[r.Uint64N(2)]
	p, row := int(r.Uint64N(simPartitions)), int(r.Uint64N(simRows))
	coordinators := s.coordinators(p)
	at := int(r.Uint64N(uint64(len(coordinators))))
	for range coordinators {
		if s.nodes[coordinators[at]].node.Load() != nil {
			break
		}
		at = (at + 1) % len(coordinators) // nobody connects to what is down
	}
	i := coordinators[at]
	switch n := r.Uint64N(100); {
	case n < 9:
		return s.write(t, i, p, row, deleteRow)
	case n < 10:
		return s.write(t, i, p, row, deletePartition)
	case n < 15:
		return s.write(t, i, p, row, writeTTL)
	case n < 48:
		return s.write(t, i, p, row, writeRow)
	case n < 50:
		s.writeBatch(i, p, r)
		return nil
	case n < 51:
		return s.readBatches(i, p)
	case n < 68:
		return s.readPartition(t, i, p)
	case n < 70:
		first, end := s.together(p)
		return s.scan(t, i, first, end, s.level(), int32(1+r.Uint64N(30)))
	default:
		return s.readRow(t, i, p, row)
	}
}

type writeKind int

const (
	writeRow writeKind = iota
	writeTTL
	deleteRow
	deletePartition
)

// simTTL is of rows that expire, in seconds. It is well above the skew that is
// allowed for.
const simTTL = 60

// write changes something through node i. That nobody knows what became of it
// is no error.
func (s *simulation) write(t *simTable, i, p, row int, kind writeKind) error {
	key := history.Key{Partition: strconv.Itoa(p), Row: strconv.Itoa(row)}
	st := query.Statement{Consistency: s.level()}
	if t == s.table[0] {
		st.Timestamp = s.w.Clock.Now().UnixMicro()
	}
	n := s.nodes[i].node.Load()
	if n == nil {
		return nil
	}
	var op *history.Op
	switch kind {
	case deletePartition:
		op = t.h.DeletePartition(key.Partition, st.Timestamp)
		st.Text, st.Values = "DELETE FROM "+t.name+" WHERE p = ?", []any{p}
	case deleteRow:
		op = t.h.Delete(key, st.Timestamp)
		st.Text, st.Values = "DELETE FROM "+t.name+" WHERE p = ? AND r = ?", []any{p, row}
	case writeTTL:
		op = t.h.Write(key, st.Timestamp, simTTL*time.Second)
		st.Text = "INSERT INTO " + t.name + " (p, r, v) VALUES (?, ?, ?) USING TTL " + strconv.Itoa(simTTL)
		st.Values = []any{p, row, op.Value()}
	default:
		op = t.h.Write(key, st.Timestamp, 0)
		st.Text, st.Values = "INSERT INTO "+t.name+" (p, r, v) VALUES (?, ?, ?)", []any{p, row, op.Value()}
	}
	ctx, cancel := context.WithTimeout(context.Background(), simPatience)
	defer cancel()
	o := s.begin(i, p)
	err := n.Query().Exec(ctx, st)
	s.finish(o, err, st.Timestamp == 0)
	var refused *native.Error
	switch {
	case err == nil && s.runs(i, n):
		op.Acked()
	case errors.As(err, &refused) && refused.Code == native.CodeUnavailable:
		op.Failed()
	default:
		op.Unknown()
	}
	return nil
}

// runs tells whether a node's machine has not gone down: what one tells that
// has, nobody hears.
func (s *simulation) runs(i int, n *node.Node) bool {
	return s.w.Machines[i].Up() && s.nodes[i].node.Load() == n
}

// readRow reads one row through node i and judges it.
func (s *simulation) readRow(t *simTable, i, p, row int) error {
	q := t.h.Read(strconv.Itoa(p))
	rows, err := s.rows(i, p, query.Statement{
		Text: "SELECT p, r, v FROM " + t.name + " WHERE p = ? AND r = ?", Values: []any{p, row}, Consistency: s.level(),
	})
	if err != nil {
		q.Failed()
		return nil
	}
	name := strconv.Itoa(row)
	value, found := rows[p][name]
	return s.blame(t, i, q.Row(name, value, found))
}

// readPartition reads a partition through node i and judges it.
func (s *simulation) readPartition(t *simTable, i, p int) error {
	q := t.h.Read(strconv.Itoa(p))
	rows, err := s.partition(t.name, i, p, s.level())
	if err != nil {
		q.Failed()
		return nil
	}
	return s.blame(t, i, q.Rows(rows))
}

func (s *simulation) partition(table string, i, p int, level ring.ConsistencyLevel) (map[string]int64, error) {
	rows, err := s.rows(i, p, query.Statement{
		Text: "SELECT p, r, v FROM " + table + " WHERE p = ?", Values: []any{p}, Consistency: level,
	})
	return rows[p], err
}

// scan reads the whole table through node i in pages and judges the partitions
// from first to end. At ALL a failure is an error.
func (s *simulation) scan(t *simTable, i, first, end int, level ring.ConsistencyLevel, page int32) error {
	var queries [simPartitions]*history.Query
	for p := first; p < end; p++ {
		queries[p] = t.h.Read(strconv.Itoa(p))
	}
	rows, err := s.rows(i, everywhere, query.Statement{Text: "SELECT p, r, v FROM " + t.name, Consistency: level, PageSize: page})
	for p := first; p < end; p++ {
		if err != nil {
			queries[p].Failed()
		} else if err := queries[p].Rows(rows[p]); err != nil {
			s.found.note(s.blame(t, i, fmt.Errorf("scan in pages of %d at %v: %w", page, level, err)))
		}
	}
	if level == ring.All {
		return err
	}
	return nil
}

func (s *simulation) blame(t *simTable, i int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s through node %d: %w", t.name, i, err)
}

// rows are values by partition and row, of one partition or everywhere.
func (s *simulation) rows(i, p int, st query.Statement) (map[int]map[string]int64, error) {
	n := s.nodes[i].node.Load()
	if n == nil {
		return nil, errDown
	}
	s.storm.see(i, n.Query().Schema())
	o := s.begin(i, p)
	rows, err := readRows(n, st)
	s.finish(o, err, false)
	if err == nil && !s.runs(i, n) {
		err = errDown
	}
	return rows, err
}

func readRows(n *node.Node, st query.Statement) (map[int]map[string]int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), simPatience)
	defer cancel()
	rows, err := n.Query().Query(ctx, st)
	if err != nil {
		return nil, err
	}
	all := map[int]map[string]int64{}
	for rows.Next() {
		var p, r int32
		var v int64
		if err := rows.Scan(&p, &r, &v); err != nil {
			return nil, err
		}
		if all[int(p)] == nil {
			all[int(p)] = map[string]int64{}
		}
		all[int(p)][strconv.Itoa(int(r))] = v
	}
	return all, rows.Err()
}
