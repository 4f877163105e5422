package shell

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// rowJSON writes a row as one JSON object in the order of the columns.
func rowJSON(cols []Column, row [][]byte) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range cols {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(jsonString(cols[i].Name))
		b.WriteString(": ")
		writeJSON(&b, &cols[i].Type, row[i], 0)
	}
	b.WriteByte('}')
	return b.String()
}

func jsonString(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(s) != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// writeJSON writes a value as to_json would: numbers bare, the rest as strings, keys of maps as strings.
func writeJSON(b *strings.Builder, t *Type, raw []byte, depth int) {
	if raw == nil || depth > maxValueDepth {
		b.WriteString("null")
		return
	}
	if s, ok := scalarJSON(t.Kind, raw); ok {
		b.WriteString(s)
		return
	}
	elems, ok := t.split(raw)
	if !ok {
		b.WriteString(`"0x` + hex.EncodeToString(raw) + `"`)
		return
	}
	open, end := "[", "]"
	if t.Kind == KindMap || t.Kind == KindUDT {
		open, end = "{", "}"
	}
	b.WriteString(open)
	for i, e := range elems {
		switch {
		case t.Kind == KindMap && i%2 == 1:
			b.WriteString(": ")
		case i > 0:
			b.WriteString(", ")
		}
		if t.Kind == KindMap && i%2 == 0 {
			b.WriteString(jsonKey(&t.Elems[0], e, depth+1))
			continue
		}
		if t.Kind == KindUDT {
			b.WriteString(jsonString(t.Fields[i]) + ": ")
		}
		writeJSON(b, t.elem(i), e, depth+1)
	}
	b.WriteString(end)
}

func jsonKey(t *Type, raw []byte, depth int) string {
	var b strings.Builder
	writeJSON(&b, t, raw, depth)
	if s := b.String(); strings.HasPrefix(s, `"`) {
		return s
	}
	return jsonString(b.String())
}

func scalarJSON(k Kind, raw []byte) (s string, ok bool) {
	if len(raw) == 0 && k < KindList {
		return `""`, true
	}
	switch k {
	case KindASCII, KindText:
		return jsonString(string(raw)), true
	case KindFloat:
		if len(raw) == 4 {
			return jsonFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(raw))), 32), true
		}
	case KindDouble:
		if len(raw) == 8 {
			return jsonFloat(math.Float64frombits(binary.BigEndian.Uint64(raw)), 64), true
		}
	case KindTimestamp:
		if len(raw) == 8 {
			return jsonString(time.UnixMilli(integer(raw)).UTC().Format("2006-01-02 15:04:05.000Z")), true
		}
	default:
		s, ok = scalarText(k, raw, false)
		switch k {
		case KindBigint, KindCounter, KindInt, KindSmallint, KindTinyint, KindVarint, KindDecimal:
			return s, ok
		case KindBoolean:
			return strings.ToLower(s), ok
		}
		return jsonString(s), ok
	}
	return "", false
}

func jsonFloat(v float64, bits int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return jsonString(floatText(v, doublePrecision))
	}
	return strconv.FormatFloat(v, 'g', -1, bits)
}
