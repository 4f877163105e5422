package wire

import (
	"encoding/binary"

	"github.com/ilion-db/ilion/internal/encoding"
)

// Info is what a node says of itself now and then: the body of OpInfo and of
// its answer.
type Info struct {
	DiskID    [16]byte
	BootCount uint64
	ClockMark int64 // durable, microseconds
	Now       int64 // wall clock, microseconds
	Epoch     uint64
}

// Append appends the encoded body: 48 bytes, in the order of the fields.
func (i *Info) Append(dst []byte) []byte {
	dst = append(dst, i.DiskID[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, i.BootCount)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(i.ClockMark))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(i.Now))
	return binary.LittleEndian.AppendUint64(dst, i.Epoch)
}

// Decode decodes a body.
func (i *Info) Decode(b []byte) error {
	r := encoding.NewReader(b)
	copy(i.DiskID[:], r.Take(16))
	i.BootCount, i.ClockMark, i.Now, i.Epoch = r.U64(), int64(r.U64()), int64(r.U64()), r.U64()
	return finish(&r, "info")
}
