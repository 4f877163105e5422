package wireserver

import (
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/wire"
)

// direct are the executions of a frame that are done together, without requests.
//
// Thread safety: it belongs to the reader, but writes to whoever completes them
// from the moment that they are started.
type direct struct {
	b      *batch
	group  session.Group // nil if the handler has none
	plain  session.Execution
	writes []place
	reads  []place
	out    []byte // answers to reads
	row    []byte
	told   int // answers in out that have not been counted
}

// place is where an execution is found again.
type place struct {
	index     uint32
	statement uint32 // in walk.Statements
	left      int    // bytes of the frame from it on
	answered  bool   // of a read
}

// begin makes it ready for a frame.
func (d *direct) begin() {
	if d.group != nil {
		d.group.Begin()
	}
	d.writes, d.reads = d.writes[:0], d.reads[:0]
}

// add takes the decoded execution, which left bytes from the end of the frame
// begins. False means that it has to be a request.
func (d *direct) add(b *batch, index uint32, left int) bool {
	o := &b.decoded.Options
	p := &d.plain
	if p.Prepared = b.prepared[b.decoded.Statement]; d.group == nil || p.Prepared == nil || o.HasSerial || o.PagingState != nil {
		return false
	}
	p.Consistency, p.Values = native.Consistency(o.Consistency), b.decoded.Values
	p.Timestamp, p.HasTimestamp = o.Timestamp, o.HasTimestamp
	at := place{index: index, statement: uint32(b.decoded.Statement), left: left}
	switch d.group.Add(p) {
	case session.AddedWrite:
		d.writes = append(d.writes, at)
	case session.AddedRead:
		d.reads = append(d.reads, at)
	default:
		return false
	}
	return true
}

// run does what was added: writes first, so that they are on their way while the
// reads are done. What becomes a request is put aside once the reader has done its
// share: the caller flushes the group.
func (d *direct) run(b *batch) {
	if len(d.writes) > 0 && !d.group.Write(d) {
		for i := range d.writes {
			b.again(&d.writes[i])
		}
	}
	if len(d.reads) == 0 {
		return
	}
	d.group.Read(d)
	d.flush()
	for i := range d.reads {
		if !d.reads[i].answered {
			b.again(&d.reads[i])
		}
	}
	if cap(d.out) > keepOut {
		d.out = nil
	}
	if cap(d.row) > keepOut {
		d.row = nil
	}
}

// again makes a request of an execution that could not be done with others.
func (b *batch) again(p *place) {
	b.walk.Again(p.left)
	b.walk.Next(&b.decoded) // as before
	b.take(p.index, (p.index >= turnCount || b.late()) && b.forOthers(p.index))
}

// Complete implements mutation.Completer for all writes.
func (d *direct) Complete(err error) {
	b := d.b
	if err != nil {
		d.failed(err)
		return
	}
	b.mu.Lock()
	for i := range d.writes {
		b.out = wire.AppendAnswer(b.out, d.writes[i].index, wire.AnswerVoid, 0)
	}
	b.answered(len(d.writes))
}

// failed answers all writes with an error.
func (d *direct) failed(err error) {
	var answers, one []byte
	for i := range d.writes {
		one = wireError(d.group.WriteError(i, err)).Append(one[:0])
		answers = wire.AppendAnswer(answers, d.writes[i].index, wire.AnswerError, len(one))
		answers = append(answers, one...)
	}
	d.b.mu.Lock()
	d.b.out = append(d.b.out, answers...)
	d.b.answered(len(d.writes))
}

// headSize is what precedes the values of a row whose columns are known: flags
// and the number of rows.
const headSize = 2

// Buffer implements session.Answers.
func (d *direct) Buffer(int) []byte { return append(d.row[:0], 0, 0) }

// Row implements session.Answers.
func (d *direct) Row(i int, columns *native.Metadata, buffer []byte, rows int) {
	p := &d.reads[i]
	p.answered = true
	d.row = buffer
	switch ref := &d.b.walk.Statements[p.statement]; {
	case len(buffer) > maxAnswer:
		one := wireError(tooLarge(len(buffer))).Append(nil)
		d.out = append(wire.AppendAnswer(d.out, p.index, wire.AnswerError, len(one)), one...)
	case columns.ID() != ref.Result:
		head := wire.Rows{Count: rows, Columns: columnsOf(columns), ResultID: columns.ID()}
		one := append(head.AppendHead(nil), buffer[headSize:]...)
		d.out = append(wire.AppendAnswer(d.out, p.index, wire.AnswerRows, len(one)), one...)
	default:
		buffer[1] = byte(rows)
		d.out = append(wire.AppendAnswer(d.out, p.index, wire.AnswerRows, len(buffer)), buffer...)
	}
	if d.told++; len(d.out) >= partSize {
		d.flush()
	}
}

// flush hands on the answers to reads.
func (d *direct) flush() {
	b := d.b
	b.mu.Lock()
	// The frame is not at its end: nobody sends the last answer meanwhile.
	b.left -= d.told
	d.told = 0
	if len(b.out) == 0 {
		b.out, d.out = d.out, b.out
	} else {
		b.out = append(b.out, d.out...)
	}
	d.out = d.out[:0]
	var full []byte
	if len(b.out) >= partSize {
		full, b.out, b.spare = b.out, b.spare[:0], nil
	}
	b.mu.Unlock()
	if full != nil {
		b.r.Part(b.s.epoch(), full)
		b.mu.Lock()
		b.spare = full[:0]
		b.mu.Unlock()
	}
}
