package wire

import (
	"github.com/ilion-db/ilion/internal/encoding"
)

// Failure is the Detail of an error that a statement ended with: what CQL's
// error says beyond its message. Fields are set as far as the code has them.
type Failure struct {
	CQL         uint32 // CQL's code of the error
	Consistency uint8
	Required    int32 // answers that were needed
	Received    int32 // answers that came, or replicas alive
	Data        bool  // the replica that was asked for data has answered
	WriteType   string
	Keyspace    string
	Name        string
}

// Append appends the encoded detail.
func (f *Failure) Append(dst []byte) []byte {
	dst = append(appendU32(dst, f.CQL), f.Consistency)
	dst = appendU32(appendU32(dst, uint32(f.Required)), uint32(f.Received))
	var data byte
	if f.Data {
		data = 1
	}
	dst = append(dst, data)
	dst = encoding.AppendString(dst, f.WriteType)
	dst = encoding.AppendString(dst, f.Keyspace)
	return encoding.AppendString(dst, f.Name)
}

// Decode decodes a detail. It copies what it keeps.
func (f *Failure) Decode(b []byte) error {
	r := encoding.NewReader(b)
	f.CQL, f.Consistency = r.U32(), r.U8()
	f.Required, f.Received = int32(r.U32()), int32(r.U32())
	data := r.U8()
	f.Data = data == 1
	f.WriteType, f.Keyspace, f.Name = r.String(), r.String(), r.String()
	if data > 1 {
		r.Fail(corrupt("failure", "a boolean of %d", data))
	}
	return finish(&r, "failure")
}
