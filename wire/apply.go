package wire

import (
	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/mutation"
)

// Apply is the body of OpApply, OpForward and OpHint.
type Apply struct {
	// Atomic wants all of the records or none.
	Atomic bool
	// Hinted is when a hint or a batch of the batchlog was made, microseconds; 0
	// for a fresh write.
	Hinted int64
	// Records are to be applied. Their heads have been checked, their contents
	// not.
	Records []mutation.Record
	// Forward names replicas of the receiver's data centre to which it sends the
	// same. It tells their answers by Applied, each with ID.
	Forward [][16]byte
	// ID is the sender's name for a write with Forward.
	ID uint64
}

const (
	applyAtomic = 1 << iota
	applyHinted
	applyForward
	applyKnown = applyAtomic | applyHinted | applyForward
)

// Append appends the encoded body.
func (a *Apply) Append(dst []byte) []byte {
	dst = a.AppendHead(dst)
	for _, r := range a.Records {
		dst = encoding.AppendBytes(dst, r)
	}
	return dst
}

// AppendHead appends the body up to the records, each of which follows as a
// varint of its length and its bytes, so that a sender need not copy them.
func (a *Apply) AppendHead(dst []byte) []byte {
	var flags byte
	if a.Atomic {
		flags |= applyAtomic
	}
	if a.Hinted != 0 {
		flags |= applyHinted
	}
	if len(a.Forward) > 0 {
		flags |= applyForward
	}
	dst = append(dst, flags)
	if a.Hinted != 0 {
		dst = appendU64(dst, uint64(a.Hinted))
	}
	if len(a.Forward) > 0 {
		dst = appendIDs(dst, a.Forward)
		dst = appendU64(dst, a.ID)
	}
	return encoding.AppendUvarint(dst, uint64(len(a.Records)))
}

// Decode decodes a body; the records alias b.
func (a *Apply) Decode(b []byte) error {
	r := encoding.NewReader(b)
	flags := r.U8()
	if flags&^applyKnown != 0 {
		return unknownFlags("apply", flags)
	}
	a.Atomic, a.Hinted, a.Forward, a.ID = flags&applyAtomic != 0, 0, a.Forward[:0], 0
	if flags&applyHinted != 0 {
		a.Hinted = int64(r.U64())
	}
	if flags&applyForward != 0 {
		a.Forward = readIDs(&r, a.Forward)
		a.ID = r.U64()
	}
	a.Records = readRecords(&r, a.Records[:0])
	return finish(&r, "apply")
}

func appendIDs(dst []byte, ids [][16]byte) []byte {
	dst = encoding.AppendUvarint(dst, uint64(len(ids)))
	for i := range ids {
		dst = append(dst, ids[i][:]...)
	}
	return dst
}

func readIDs(r *encoding.Reader, ids [][16]byte) [][16]byte {
	n := r.Uvarint()
	if n > uint64(r.Len()/16) {
		r.Fail(encoding.ErrShort)
		return ids
	}
	for range n {
		ids = append(ids, [16]byte(r.Take(16)))
	}
	return ids
}

func appendRecords(dst []byte, records []mutation.Record) []byte {
	dst = encoding.AppendUvarint(dst, uint64(len(records)))
	for _, rec := range records {
		dst = encoding.AppendBytes(dst, rec)
	}
	return dst
}

func readRecords(r *encoding.Reader, records []mutation.Record) []mutation.Record {
	n := r.Uvarint()
	if n > uint64(r.Len()) {
		r.Fail(encoding.ErrShort)
	}
	for range n {
		rec := mutation.Record(r.Bytes())
		if r.Err() != nil {
			break
		}
		if err := rec.CheckHeader(); err != nil {
			r.Fail(err)
			break
		}
		records = append(records, rec)
	}
	return records
}

// Applied is the body of OpApplied: what became of a write at a replica that it
// was sent on to.
type Applied struct {
	ID        uint64   // as in Apply
	Host      [16]byte // of the replica
	Code      Code     // 0 if it applied the write
	Epoch     uint64   // metadata epoch that the replica told, 0 if none
	Timestamp int64    // CodeNewer: microseconds
}

// Append appends the encoded body.
func (a *Applied) Append(dst []byte) []byte {
	dst = appendU64(dst, a.ID)
	dst = append(dst, a.Host[:]...)
	dst = appendU16(dst, uint16(a.Code))
	dst = appendU64(dst, a.Epoch)
	return appendU64(dst, uint64(a.Timestamp))
}

// Decode decodes a body.
func (a *Applied) Decode(b []byte) error {
	r := encoding.NewReader(b)
	a.ID = r.U64()
	a.Host = readID(&r)
	a.Code = Code(r.U16())
	a.Epoch = r.U64()
	a.Timestamp = int64(r.U64())
	return finish(&r, "applied")
}

// HintReply answers OpHint.
type HintReply struct {
	// Rate is what the receiver wants to get from this sender from now on, in
	// bytes a second; 0 sets no bound.
	Rate uint64
}

// Append appends the encoded body.
func (h *HintReply) Append(dst []byte) []byte { return appendU64(dst, h.Rate) }

// Decode decodes a body.
func (h *HintReply) Decode(b []byte) error {
	r := encoding.NewReader(b)
	h.Rate = r.U64()
	return finish(&r, "hint reply")
}

// BatchStore is the body of OpBatchStore: a logged batch to be replayed if its
// coordinator does not say that it is done.
type BatchStore struct {
	ID      [16]byte
	Created int64 // microseconds
	Records []mutation.Record
}

// Append appends the encoded body.
func (s *BatchStore) Append(dst []byte) []byte {
	dst = append(dst, s.ID[:]...)
	dst = appendU64(dst, uint64(s.Created))
	return appendRecords(dst, s.Records)
}

// Decode decodes a body; the records alias b.
func (s *BatchStore) Decode(b []byte) error {
	r := encoding.NewReader(b)
	s.ID = readID(&r)
	s.Created = int64(r.U64())
	s.Records = readRecords(&r, s.Records[:0])
	return finish(&r, "batch")
}

// BatchDone is the body of OpBatchDone.
type BatchDone struct {
	ID [16]byte
}

// Append appends the encoded body.
func (d *BatchDone) Append(dst []byte) []byte { return append(dst, d.ID[:]...) }

// Decode decodes a body.
func (d *BatchDone) Decode(b []byte) error {
	r := encoding.NewReader(b)
	d.ID = readID(&r)
	return finish(&r, "batch done")
}

// Pull is the body of OpPull: entries of the metadata log after one whose
// chained hash the asker tells.
type Pull struct {
	After uint64
	Hash  [32]byte
}

// Append appends the encoded body.
func (p *Pull) Append(dst []byte) []byte { return append(appendU64(dst, p.After), p.Hash[:]...) }

// Decode decodes a body.
func (p *Pull) Decode(b []byte) error {
	r := encoding.NewReader(b)
	p.After = r.U64()
	if h := r.Take(32); h != nil {
		p.Hash = [32]byte(h)
	}
	return finish(&r, "pull")
}

func readID(r *encoding.Reader) (id [16]byte) {
	if b := r.Take(16); b != nil {
		id = [16]byte(b)
	}
	return id
}
