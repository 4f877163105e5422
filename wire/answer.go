package wire

import (
	"github.com/ilion-db/ilion/internal/encoding"
)

// AnswerKind says what an answer has. On the wire, never renumber.
type AnswerKind uint8

// Kinds of answers.
const (
	// AnswerVoid has nothing: it is done.
	AnswerVoid AnswerKind = iota
	// AnswerRows has Rows.
	AnswerRows
	// AnswerError has an Error.
	AnswerError
	lastAnswerKind = AnswerError
)

// AppendAnswer appends the head of an answer, which size bytes follow.
func AppendAnswer(dst []byte, index uint32, kind AnswerKind, size int) []byte {
	dst = encoding.AppendUvarint(dst, uint64(index))
	dst = append(dst, byte(kind))
	return encoding.AppendUvarint(dst, uint64(size))
}

// Answer is what came of one execution.
type Answer struct {
	Index uint32 // of the execution in its body, from 0
	Kind  AnswerKind
	Body  []byte
}

// Answers walks over a body of answers. Not safe for concurrent use.
type Answers struct{ r encoding.Reader }

// Init begins a walk over b, which the answers alias.
func (a *Answers) Init(b []byte) { a.r = encoding.NewReader(b) }

// Next decodes the next answer; false is the end, or an error.
func (a *Answers) Next(out *Answer) bool {
	r := &a.r
	if r.Err() != nil || r.Len() == 0 {
		return false
	}
	n := r.Uvarint()
	out.Kind = AnswerKind(r.U8())
	out.Body = r.Bytes()
	if n > 1<<31 || out.Kind > lastAnswerKind {
		r.Fail(corrupt("answer", "%d of kind %d", n, out.Kind))
	}
	out.Index = uint32(n)
	return r.Err() == nil
}

// Err tells why the walk ended, nil at the end of the body.
func (a *Answers) Err() error { return decodeError(&a.r, "answers") }

// Rows are the rows of an answer.
type Rows struct {
	Count int
	// PagingState asks for the next page; nil if there is none.
	PagingState []byte
	// Columns are sent if they are not those that the asker knows.
	Columns  []Column
	ResultID [16]byte // of Columns, if they are sent
	Warnings []string
	// Values are those of Count rows, one after the other.
	Values []byte
}

const (
	rowsState = 1 << iota
	rowsColumns
	rowsWarnings
	rowsKnown = rowsState | rowsColumns | rowsWarnings
)

// AppendHead appends all but the values, which follow to the end.
func (s *Rows) AppendHead(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, 0)
	dst = encoding.AppendUvarint(dst, uint64(s.Count))
	if s.PagingState != nil {
		dst[at] |= rowsState
		dst = encoding.AppendBytes(dst, s.PagingState)
	}
	if s.Columns != nil {
		dst[at] |= rowsColumns
		dst = append(dst, s.ResultID[:]...)
		dst = AppendColumns(dst, s.Columns)
	}
	if len(s.Warnings) > 0 {
		dst[at] |= rowsWarnings
		dst = encoding.AppendUvarint(dst, uint64(len(s.Warnings)))
		for _, w := range s.Warnings {
			dst = encoding.AppendString(dst, w)
		}
	}
	return dst
}

// Append appends the encoded rows.
func (s *Rows) Append(dst []byte) []byte { return append(s.AppendHead(dst), s.Values...) }

// Decode decodes rows; PagingState and Values alias b. The values are not
// looked at.
func (s *Rows) Decode(b []byte) error {
	r := encoding.NewReader(b)
	flags := r.U8()
	if flags&^rowsKnown != 0 {
		return unknownFlags("rows", flags)
	}
	*s = Rows{Warnings: s.Warnings[:0]}
	n := r.Uvarint()
	if flags&rowsState != 0 {
		s.PagingState = r.Bytes()
	}
	if flags&rowsColumns != 0 {
		s.ResultID = readID(&r)
		if s.Columns = readColumnList(&r); s.Columns == nil {
			s.Columns = []Column{}
		}
	}
	if flags&rowsWarnings != 0 {
		count := r.Uvarint()
		if count > uint64(r.Len()) {
			r.Fail(encoding.ErrShort)
			count = 0
		}
		for range count {
			s.Warnings = append(s.Warnings, r.String())
		}
	}
	if n > MaxBody {
		r.Fail(corrupt("rows", "%d of them", n))
	}
	s.Count, s.Values = int(min(n, MaxBody)), r.Take(r.Len())
	return finish(&r, "rows")
}
