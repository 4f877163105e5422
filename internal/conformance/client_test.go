package conformance

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// client is one connection that speaks version 4, one request at a time. It
// shows answers as they are, where a driver would interpret them.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

// patience is far above what any answer takes.
const patience = 5 * time.Minute

func dial(t *testing.T, address string) *client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &client{t: t, conn: conn, r: bufio.NewReader(conn)}
	body := binary.BigEndian.AppendUint16(nil, 1)
	body = native.AppendString(body, "CQL_VERSION")
	body = native.AppendString(body, "3.0.0")
	if opcode, _ := c.request(native.OpStartup, body); opcode != native.OpReady {
		t.Fatalf("STARTUP is answered with %s", opcode)
	}
	return c
}

// request sends a message and returns the answer.
func (c *client) request(op native.Opcode, body []byte) (native.Opcode, *decoder) {
	c.t.Helper()
	opcode, d, err := c.roundTrip(op, body)
	if err != nil {
		c.t.Fatalf("%s: %v", op, err)
	}
	return opcode, d
}

func (c *client) roundTrip(op native.Opcode, body []byte) (native.Opcode, *decoder, error) {
	c.conn.SetDeadline(time.Now().Add(2 * patience)) // the server's comes first
	if _, err := c.conn.Write(native.AppendRequest(nil, native.Header{Version: native.V4, Opcode: op}, body)); err != nil {
		return 0, nil, err
	}
	head := make([]byte, 9)
	if _, err := io.ReadFull(c.r, head); err != nil {
		return 0, nil, err
	}
	h, ok := native.ParseHeader(head)
	if !ok {
		return 0, nil, errors.New("no header")
	}
	if err := h.CheckLength(native.MaxFrame); err != nil {
		return 0, nil, err
	}
	answer := make([]byte, h.Length)
	if _, err := io.ReadFull(c.r, answer); err != nil {
		return 0, nil, err
	}
	d := &decoder{t: c.t, b: answer}
	if h.Flags&native.FlagWarning != 0 {
		for range d.u16() {
			d.str()
		}
	}
	return h.Opcode, d, nil
}

// params appends the parameters of QUERY and EXECUTE.
func params(body []byte, values []native.Value, page int, state []byte) []byte {
	const withValues, withPage, withState = 0x01, 0x04, 0x08
	var flags byte
	if values != nil {
		flags |= withValues
	}
	if page > 0 {
		flags |= withPage
	}
	if state != nil {
		flags |= withState
	}
	body = append(binary.BigEndian.AppendUint16(body, uint16(native.One)), flags)
	if values != nil {
		body = binary.BigEndian.AppendUint16(body, uint16(len(values)))
		for _, v := range values {
			if v.Unset {
				body = binary.BigEndian.AppendUint32(body, 0xfffffffe)
				continue
			}
			body = native.AppendValue(body, v.Bytes)
		}
	}
	if page > 0 {
		body = binary.BigEndian.AppendUint32(body, uint32(page))
	}
	if state != nil {
		body = native.AppendValue(body, state)
	}
	return body
}

// decoder reads an answer; what does not fit fails the test.
type decoder struct {
	t *testing.T
	b []byte
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.t.Fatalf("an answer ends early: %d bytes wanted of %x", n, d.b)
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) u16() int      { return int(binary.BigEndian.Uint16(d.take(2))) }
func (d *decoder) i32() int      { return int(int32(binary.BigEndian.Uint32(d.take(4)))) }
func (d *decoder) str() string   { return string(d.take(d.u16())) }
func (d *decoder) short() []byte { return d.take(d.u16()) }
func (d *decoder) value() []byte {
	if n := d.i32(); n >= 0 {
		return d.take(n)
	}
	return nil
}

// typ reads a type. Its text is what the golden has; what the protocol does
// not tell, as whether it is frozen, is not in it.
func (d *decoder) typ() *schema.Type {
	switch k := schema.Kind(d.u16()); k {
	case schema.KindCustom:
		return customType(d.str())
	case schema.KindList:
		return schema.ListOf(d.typ(), false)
	case schema.KindSet:
		return schema.SetOf(d.typ(), false)
	case schema.KindMap:
		key := d.typ()
		return schema.MapOf(key, d.typ(), false)
	case schema.KindTuple:
		elems := make([]*schema.Type, d.u16())
		for i := range elems {
			elems[i] = d.typ()
		}
		return schema.TupleOf(elems...)
	case schema.KindUDT:
		keyspace, name, n := d.str(), d.str(), d.u16()
		fields, types := make([]string, n), make([]*schema.Type, n)
		for i := range n {
			fields[i], types[i] = d.str(), d.typ()
		}
		return schema.UDTOf(keyspace, name, fields, types, false)
	default:
		t := schema.NativeType(k)
		if t == nil {
			d.t.Fatalf("a column has the unknown type %#x", uint16(k))
		}
		return t
	}
}

// customType is what a class name stands for, as far as values of it can be
// shown.
func customType(class string) *schema.Type {
	for _, t := range []*schema.Type{schema.TypeDuration, schema.TypeEmpty} {
		if class == t.ClassName() {
			return t
		}
	}
	for _, elem := range []*schema.Type{schema.TypeFloat, schema.TypeInt, schema.TypeText} {
		for dim := 1; dim <= 8; dim++ {
			if v := schema.VectorOf(elem, dim); class == v.ClassName() {
				return v
			}
		}
	}
	return schema.CustomOf(class)
}

// column is one of a result or a marker.
type column struct {
	keyspace, table, name string
	typ                   *schema.Type
}

func (c column) String() string { return schema.QuoteName(c.name) + " " + c.typ.String() }

// columns reads metadata after its count.
func (d *decoder) columns(n int, global bool) []column {
	var keyspace, table string
	if global {
		keyspace, table = d.str(), d.str()
	}
	cols := make([]column, n)
	for i := range cols {
		c := column{keyspace: keyspace, table: table}
		if !global {
			c.keyspace, c.table = d.str(), d.str()
		}
		c.name = d.str()
		c.typ = d.typ()
		cols[i] = c
	}
	return cols
}

func joined(cols []column) string {
	texts := make([]string, len(cols))
	for i, c := range cols {
		texts[i] = c.String()
	}
	return strings.Join(texts, ", ")
}

// format is a value as a constant, or its bytes if it is none of its type.
func format(t *schema.Type, v []byte) string {
	switch {
	case v == nil:
		return "null"
	case t.Kind() == schema.KindCustom || t.Validate(v) != nil:
		return fmt.Sprintf("0x%x", v)
	case len(v) == 0 && t.FixedLen() > 0:
		return "empty"
	}
	return t.Format(v)
}
