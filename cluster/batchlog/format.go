package batchlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/mutation"
)

// Kinds of entries. On disk, never renumber.
const (
	kindBatch = 1
	kindMarks = 2

	batchHeadLen = 25
	idLen        = 16
	// maxRecords bounds the records of a batch: what the CQL protocol can hold.
	maxRecords = 1 << 16
)

var magic = [8]byte([]byte("ILIONBLG"))

// errCorrupt is an entry that is not as it was written.
var errCorrupt = errors.New("batchlog: malformed entry")

// appendBatch encodes a batch.
func appendBatch(dst []byte, id [16]byte, created int64, records []mutation.Record) []byte {
	dst = append(dst, kindBatch)
	dst = append(dst, id[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(created))
	dst = encoding.AppendUvarint(dst, uint64(len(records)))
	for _, r := range records {
		dst = encoding.AppendBytes(dst, r)
	}
	return dst
}

// decodeHead reads which batch an entry holds.
func decodeHead(p []byte) (id [16]byte, created int64, err error) {
	if len(p) < batchHeadLen || p[0] != kindBatch {
		return id, 0, fmt.Errorf("%w: batch of %d bytes", errCorrupt, len(p))
	}
	copy(id[:], p[1:])
	return id, int64(binary.LittleEndian.Uint64(p[17:])), nil
}

// decodeRecords returns the records of a batch, which alias it.
func decodeRecords(p []byte) ([]mutation.Record, error) {
	if _, _, err := decodeHead(p); err != nil {
		return nil, err
	}
	r := encoding.NewReader(p[batchHeadLen:])
	n := r.Uvarint()
	if n > maxRecords || n > uint64(r.Len()) {
		return nil, fmt.Errorf("%w: batch of %d records in %d bytes", errCorrupt, n, r.Len())
	}
	records := make([]mutation.Record, 0, n)
	for range n {
		rec := mutation.Record(r.Bytes())
		if r.Err() != nil {
			break
		}
		if err := rec.CheckHeader(); err != nil {
			return nil, fmt.Errorf("%w: %w", errCorrupt, err)
		}
		records = append(records, rec)
	}
	if r.Err() != nil || r.Len() > 0 {
		return nil, fmt.Errorf("%w: batch does not end where it should", errCorrupt)
	}
	return records, nil
}

// appendMarks encodes marks of batches that are done.
func appendMarks(dst []byte, ids [][16]byte) []byte {
	dst = append(dst, kindMarks)
	for _, id := range ids {
		dst = append(dst, id[:]...)
	}
	return dst
}

// decodeMarks calls f for each id of an entry of marks.
func decodeMarks(p []byte, f func(id [16]byte)) error {
	if len(p) == 0 || p[0] != kindMarks || (len(p)-1)%idLen != 0 {
		return fmt.Errorf("%w: marks of %d bytes", errCorrupt, len(p))
	}
	for p = p[1:]; len(p) > 0; p = p[idLen:] {
		f([16]byte(p))
	}
	return nil
}
