package exec

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

const (
	stateVersion = 1
	macLen       = 16

	flagAfterPartition = 1 << 0 // the partition is done
	flagRowsSeen       = 1 << 1 // the partition has yielded a live row
	flagVirtual        = 1 << 2
	flagsKnown         = 1<<3 - 1
)

// position is where a page ends and the next begins.
type position struct {
	table       schema.TableID
	fingerprint uint64
	flags       uint8
	// remaining and inPartition are what the limits still allow; 0 is no limit.
	remaining, inPartition uint32
	// skip is how many rows of a virtual table have been passed.
	skip       uint64
	token      ring.Token
	key        []byte
	clustering []byte // of the last row passed, empty if none was
}

var errState = errors.New("Invalid value for the paging state")

// appendState appends the state with its MAC.
func (p *position) appendState(dst []byte, key []byte) []byte {
	start := len(dst)
	dst = append(dst, stateVersion, p.flags)
	dst = append(dst, p.table[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, p.fingerprint)
	dst = binary.LittleEndian.AppendUint32(dst, p.remaining)
	dst = binary.LittleEndian.AppendUint32(dst, p.inPartition)
	dst = binary.LittleEndian.AppendUint64(dst, p.skip)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(p.token))
	dst = encoding.AppendBytes(dst, p.key)
	dst = encoding.AppendBytes(dst, p.clustering)
	return append(dst, mac(key, dst[start:])...)
}

func mac(key, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(body)
	return h.Sum(nil)[:macLen]
}

// parseState reads a state; p aliases it.
func (p *position) parseState(state, key []byte) error {
	if len(state) < macLen {
		return errState
	}
	body := state[:len(state)-macLen]
	if !hmac.Equal(mac(key, body), state[len(body):]) {
		return errState
	}
	return p.parseBody(body)
}

func (p *position) parseBody(body []byte) error {
	r := encoding.NewReader(body)
	version := r.U8()
	p.flags = r.U8()
	copy(p.table[:], r.Take(16))
	p.fingerprint = r.U64()
	p.remaining, p.inPartition = r.U32(), r.U32()
	p.skip = r.U64()
	p.token = ring.Token(r.U64())
	p.key = r.Bytes()
	p.clustering = r.Bytes()
	if r.Err() != nil || r.Len() != 0 || version != stateVersion || p.flags&^flagsKnown != 0 {
		return errState
	}
	return nil
}

// Resume makes q continue behind the page that state ended. It must follow
// Bind and come before a source is opened for q.Command. state may be reused
// after Page returned.
func (r *Reader) Resume(q *plan.Query, state []byte) error {
	r.resumed = false
	if len(state) == 0 {
		return nil
	}
	p := &r.from
	*p = position{}
	if err := p.parseState(state, r.macKey); err != nil {
		return native.Protocol("%s", err.Error())
	}
	if p.table != q.Select.Table.ID || p.fingerprint != q.Select.Fingerprint || (p.flags&flagVirtual != 0) != q.Select.Table.Virtual {
		return native.Invalid("The paging state is of another statement")
	}
	r.resumed = true
	if q.Select.Table.Virtual {
		return nil
	}
	done := p.flags&flagAfterPartition != 0
	if !done {
		q.Command.After = p.clustering
	}
	if q.Command.Keys == nil {
		return r.resumeRange(q, done)
	}
	at, found := slices.BinarySearchFunc(q.Command.Keys, mutation.Key{Token: p.token, Key: p.key}, compareKeys)
	if found && done {
		at++
	}
	if !found {
		q.Command.After = nil
	}
	q.Command.Keys = q.Command.Keys[at:]
	q.Empty = q.Empty || len(q.Command.Keys) == 0
	return nil
}

func (r *Reader) resumeRange(q *plan.Query, done bool) error {
	p := &r.from
	rg := &q.Command.Range
	if rg.Start != nil && rg.Start.ComparePartition(p.token, p.key) < 0 || rg.End != nil && rg.End.ComparePartition(p.token, p.key) > 0 {
		return native.Invalid("The paging state is of another statement")
	}
	rg.Start = &mutation.PartitionBound{Token: p.token, Key: p.key, After: done}
	if p.key == nil {
		rg.Start.Key = []byte{}
	}
	return nil
}

func compareKeys(a, b mutation.Key) int {
	switch {
	case a.Token < b.Token:
		return -1
	case a.Token > b.Token:
		return 1
	}
	return bytes.Compare(a.Key, b.Key)
}
