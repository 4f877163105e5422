package manifest

import (
	"encoding/binary"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/encoding"
)

// Mark separates the log's records before and after a moment. With one lane a
// position does that. Lanes write different segments at the same time: of
// those in Heads the position there counts, of others whether they are below
// Next.
type Mark struct {
	Low   commitlog.Position // everything below it is below the mark
	Next  uint64             // 0 with one lane
	Heads []commitlog.Position
}

// Below tells whether the record at p lies below the mark.
func (m *Mark) Below(p commitlog.Position) bool {
	if p.Less(m.Low) {
		return true
	}
	for _, h := range m.Heads {
		if h.Segment == p.Segment {
			return p.Offset < h.Offset
		}
	}
	return p.Segment < m.Next
}

// Last is the highest segment that the mark names.
func (m *Mark) Last() uint64 {
	last := max(m.Low.Segment, m.Next)
	for _, h := range m.Heads {
		last = max(last, h.Segment)
	}
	return last
}

// maxHeads bounds what a damaged mark can ask for.
const maxHeads = 4 * commitlog.MaxLanes

func (m *Mark) append(b []byte) []byte {
	b = appendPosition(b, m.Low)
	b = binary.LittleEndian.AppendUint64(b, m.Next)
	b = binary.AppendUvarint(b, uint64(len(m.Heads)))
	for _, h := range m.Heads {
		b = appendPosition(b, h)
	}
	return b
}

func readMark(r *encoding.Reader) Mark {
	m := Mark{Low: readPosition(r), Next: r.U64()}
	n := r.Uvarint()
	if n > maxHeads {
		r.Fail(errBadOp)
		return Mark{}
	}
	for range n {
		m.Heads = append(m.Heads, readPosition(r))
	}
	return m
}
