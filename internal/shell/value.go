package shell

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Digits behind the point, cqlsh's defaults.
const (
	floatPrecision  = 5
	doublePrecision = 12
)

// maxValueDepth bounds how deep a printed value may nest; the server allows less.
const maxValueDepth = 64

// valueText writes a value as cqlsh does: text bare at the top and quoted inside of collections, null as null. Bytes that do not fit
// the type are shown as a blob.
func valueText(t *Type, raw []byte) string { return formatValue(t, raw, 0) }

func formatValue(t *Type, raw []byte, depth int) string {
	if raw == nil || depth > maxValueDepth {
		return "null"
	}
	if s, ok := scalarText(t.Kind, raw, depth > 0); ok {
		return s
	}
	if len(raw) == 0 && t.Kind != KindTuple && t.Kind != KindUDT {
		return ""
	}
	elems, ok := t.split(raw)
	if !ok {
		return "0x" + hex.EncodeToString(raw)
	}
	return compositeText(t, elems, depth)
}

func compositeText(t *Type, elems [][]byte, depth int) string {
	open, end := "{", "}"
	switch t.Kind {
	case KindList, KindVector:
		open, end = "[", "]"
	case KindTuple:
		open, end = "(", ")"
	}
	var b strings.Builder
	b.WriteString(open)
	for i, e := range elems {
		switch {
		case t.Kind == KindMap && i%2 == 1:
			b.WriteString(": ")
		case i > 0:
			b.WriteString(", ")
		}
		if t.Kind == KindUDT {
			b.WriteString(t.Fields[i] + ": ")
		}
		b.WriteString(formatValue(t.elem(i), e, depth+1))
	}
	b.WriteString(end)
	return b.String()
}

// elem gives the type of the i-th element of what split gives.
func (t *Type) elem(i int) *Type {
	switch t.Kind {
	case KindMap:
		return &t.Elems[i%2]
	case KindTuple, KindUDT:
		return &t.Elems[i]
	}
	return &t.Elems[0]
}

// scalarText writes a value that is no composite; ok is false for composites and for bytes of the wrong length.
func scalarText(k Kind, raw []byte, quote bool) (s string, ok bool) {
	switch k {
	case KindASCII, KindText:
		return textValue(string(raw), quote), true
	case KindBlob, KindCustom:
		return "0x" + hex.EncodeToString(raw), true
	}
	if len(raw) == 0 {
		return "", k < KindList
	}
	if size := scalarSize(k); size != 0 && size != len(raw) {
		return "", false
	}
	switch k {
	case KindBigint, KindCounter, KindInt, KindSmallint, KindTinyint:
		return strconv.FormatInt(integer(raw), 10), true
	case KindBoolean:
		if raw[0] != 0 {
			return "True", true
		}
		return "False", true
	case KindFloat:
		return floatText(float64(math.Float32frombits(binary.BigEndian.Uint32(raw))), floatPrecision), true
	case KindDouble:
		return floatText(math.Float64frombits(binary.BigEndian.Uint64(raw)), doublePrecision), true
	case KindVarint:
		return bigInteger(raw).String(), true
	case KindDecimal:
		if len(raw) < 4 {
			return "", false
		}
		return decimalText(raw), true
	case KindUUID, KindTimeUUID:
		return uuidText(raw), true
	case KindInet:
		a, ok := netip.AddrFromSlice(raw)
		return quoteIf(a.String(), quote), ok
	case KindDate:
		return dateText(raw), true
	case KindTime:
		return timeText(integer(raw)), true
	case KindTimestamp:
		return quoteIf(timestampText(integer(raw)), quote), true
	case KindDuration:
		return durationText(raw)
	}
	return "", false
}

// scalarSize gives the length that a value of the kind must have, 0 for any.
func scalarSize(k Kind) int {
	switch k {
	case KindBoolean, KindTinyint:
		return 1
	case KindSmallint:
		return 2
	case KindInt, KindFloat, KindDate:
		return 4
	case KindBigint, KindCounter, KindDouble, KindTime, KindTimestamp:
		return 8
	case KindUUID, KindTimeUUID:
		return 16
	}
	return 0
}

func quoteIf(s string, quote bool) string {
	if quote {
		return "'" + s + "'"
	}
	return s
}

// textValue doubles backslashes and shows control characters as escapes, so that a row stays one line.
func textValue(s string, quote bool) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\'' && quote:
			b.WriteString("''")
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return quoteIf(b.String(), quote)
}

func uuidText(raw []byte) string {
	h := hex.EncodeToString(raw)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// dateText writes a date; one that has no four-digit year is shown as its days since 1970.
func dateText(raw []byte) string {
	days := int64(binary.BigEndian.Uint32(raw)) - 1<<31
	t := time.Unix(days*86400, 0).UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return strconv.FormatInt(days, 10)
	}
	return t.Format("2006-01-02")
}

func timeText(ns int64) string {
	return fmt.Sprintf("%02d:%02d:%02d.%09d", ns/3600e9, ns/60e9%60, ns/1e9%60, ns%1e9)
}

// timestampText writes a timestamp; one that has no four-digit year is shown as its milliseconds since 1970.
func timestampText(ms int64) string {
	t := time.UnixMilli(ms).UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return strconv.FormatInt(ms, 10)
	}
	return t.Format("2006-01-02 15:04:05.000000-0700")
}
