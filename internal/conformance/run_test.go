package conformance

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// maxPages ends the reading of a server that never says that it is done.
const maxPages = 200

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// signatures are listed by Cassandra in the order of a hash.
var signatures = regexp.MustCompile(`\(known type signatures: .*\)`)

// run executes a statement and returns its answer as goldens have it.
func (c *client) run(s *statement) string {
	c.t.Helper()
	var b strings.Builder
	if s.binds == nil {
		c.pages(&b, s, func(state []byte) (native.Opcode, *decoder) {
			body := be32(nil, len(s.text))
			return c.request(native.OpQuery, params(append(body, s.text...), nil, s.page, state))
		})
		return b.String()
	}
	op, d := c.request(native.OpPrepare, append(be32(nil, len(s.text)), s.text...))
	if op == native.OpError {
		return showError(d)
	}
	d.i32()
	id := d.short()
	markers := showMarkers(&b, d)
	for _, line := range s.binds {
		fmt.Fprintf(&b, "bind %s\n", line)
		values := parseValues(c, markers, line)
		c.pages(&b, s, func(state []byte) (native.Opcode, *decoder) {
			body := append([]byte{byte(len(id) >> 8), byte(len(id))}, id...)
			return c.request(native.OpExecute, params(body, values, s.page, state))
		})
	}
	return b.String()
}

func be32(b []byte, n int) []byte { return append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n)) }

// showMarkers prints the metadata of a prepared statement's markers.
func showMarkers(b *strings.Builder, d *decoder) []column {
	flags, n, keys := d.i32(), d.i32(), d.i32()
	key := make([]int, keys)
	for i := range key {
		key[i] = d.u16()
	}
	markers := d.columns(n, flags&1 != 0)
	fmt.Fprintf(b, "markers (%s) key %v\n", joined(markers), key)
	return markers
}

// parseValues reads a bind line.
func parseValues(c *client, markers []column, line string) []native.Value {
	c.t.Helper()
	texts := splitValues(line)
	values := make([]native.Value, len(texts))
	for i, text := range texts {
		var v []byte
		var err error
		raw, isRaw := strings.CutPrefix(text, "0x")
		switch {
		case text == "null":
		case text == "unset":
			values[i].Unset = true
		case isRaw:
			v, err = hex.DecodeString(raw)
		case i >= len(markers):
			v = []byte(text)
		case text[0] == '\'':
			v, err = markers[i].typ.ParseText(strings.Trim(text, "'"))
		default:
			v, err = markers[i].typ.ParseText(text)
		}
		if err != nil {
			c.t.Fatalf("bind %s: %v", line, err)
		}
		if isRaw && v == nil {
			v = []byte{}
		}
		values[i].Bytes = v
	}
	return values
}

// pages executes until there is no further page.
func (c *client) pages(b *strings.Builder, s *statement, execute func(state []byte) (native.Opcode, *decoder)) {
	c.t.Helper()
	var state []byte
	for page := range maxPages {
		op, d := execute(state)
		if op == native.OpError {
			b.WriteString(showError(d))
			return
		}
		if op != native.OpResult {
			c.t.Fatalf("%s is answered with %s", s.text, op)
		}
		before := b.Len()
		state = showResult(b, d, s, page == 0)
		if page > 0 && b.Len() > before {
			separated := b.String()[:before] + "--\n" + b.String()[before:]
			b.Reset()
			b.WriteString(separated)
		}
		if state == nil {
			return
		}
	}
	b.WriteString("pages without end\n")
}

func showError(d *decoder) string {
	code := d.i32()
	text := signatures.ReplaceAllString(strings.ReplaceAll(d.str(), "\n", " "), "(known type signatures: ...)")
	return fmt.Sprintf("error 0x%04x %s\n", code, uuids.ReplaceAllString(text, "<uuid>"))
}

// showResult prints a result and returns the state of the next page, if any.
func showResult(b *strings.Builder, d *decoder, s *statement, first bool) []byte {
	switch kind := d.i32(); kind {
	case 1:
		b.WriteString("void\n")
	case 2:
		return showRows(b, d, s, first)
	case 3:
		fmt.Fprintf(b, "use %s\n", d.str())
	case 5:
		change, target, keyspace := d.str(), d.str(), d.str()
		if target != native.TargetKeyspace {
			keyspace += "." + d.str()
		}
		fmt.Fprintf(b, "schema %s %s %s\n", change, target, keyspace)
	default:
		d.t.Fatalf("a result of kind %d", kind)
	}
	return nil
}

func showRows(b *strings.Builder, d *decoder, s *statement, first bool) (state []byte) {
	const global, more = 1, 2
	flags, n := d.i32(), d.i32()
	if flags&more != 0 {
		state = d.value()
	}
	cols := d.columns(n, flags&global != 0)
	if first {
		of := ""
		if len(cols) > 0 {
			of = cols[0].keyspace + "." + cols[0].table + " "
		}
		fmt.Fprintf(b, "rows %s(%s)\n", of, joined(cols))
	}
	for range d.i32() {
		row := make([]string, n)
		for i, c := range cols {
			v := d.value()
			row[i] = mask(s, c, format(c.typ, v))
		}
		b.WriteString(strings.Join(row, ", ") + "\n")
	}
	return state
}

// mask hides what differs from run to run.
func mask(s *statement, c column, text string) string {
	if slices.Contains(s.mask, c.name) && text != "null" {
		return "<" + c.typ.String() + ">"
	}
	if c.typ.Kind() == schema.KindText || c.typ.Kind() == schema.KindASCII {
		text = strings.ReplaceAll(text, "\n", `\n`)
	}
	return text
}
