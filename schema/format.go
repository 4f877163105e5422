package schema

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// Format prints a valid value as a CQL constant that parses back to it; nil is
// null.
func (t *Type) Format(v []byte) string {
	var b strings.Builder
	t.format1(&b, v)
	return b.String()
}

func (t *Type) format1(b *strings.Builder, v []byte) {
	if v == nil {
		b.WriteString("null")
		return
	}
	switch t.kind {
	case KindASCII, KindText, KindInet, KindDate, KindTime:
		b.WriteString(QuoteText(t.FormatText(v)))
	case KindTimestamp:
		if len(v) == 0 {
			b.WriteString("''")
			return
		}
		b.WriteString(QuoteText(TimestampText(int64(binary.BigEndian.Uint64(v)), ' ')))
	case KindList, KindVector:
		t.formatElems(b, v, '[', ']')
	case KindSet, KindMap, KindUDT:
		t.formatElems(b, v, '{', '}')
	case KindTuple:
		t.formatElems(b, v, '(', ')')
	default:
		b.WriteString(t.FormatText(v))
	}
}

func (t *Type) formatElems(b *strings.Builder, v []byte, open, end byte) {
	b.WriteByte(open)
	it := t.Elements(v)
	i := 0
	for e, ok := it.Next(); ok; e, ok = it.Next() {
		switch {
		case t.kind == KindMap && i%2 == 1:
			b.WriteString(": ")
		case i > 0:
			b.WriteString(", ")
		}
		if t.kind == KindUDT {
			b.WriteString(QuoteName(t.fields[i]) + ": ")
		}
		it.Type().format1(b, e)
		i++
	}
	b.WriteByte(end)
}

// FormatText prints a valid value as CAST(.. AS text) does: without quotes,
// timestamps with a T, numbers as Java prints them. Compound types print as
// constants, the empty value of a type of fixed width as nothing.
func (t *Type) FormatText(v []byte) string {
	if t.fixed > 0 && len(v) != t.fixed {
		return ""
	}
	switch t.kind {
	case KindASCII, KindText:
		return string(v)
	case KindInt:
		return strconv.Itoa(int(int32(binary.BigEndian.Uint32(v))))
	case KindBigint, KindCounter:
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(v)), 10)
	case KindSmallint:
		return strconv.Itoa(int(int16(binary.BigEndian.Uint16(v))))
	case KindTinyint:
		return strconv.Itoa(int(int8(v[0])))
	case KindVarint:
		if len(v) == 0 {
			return ""
		}
		return bigFromBytes(v).String()
	case KindDecimal:
		return DecimalText(v)
	case KindFloat:
		return JavaFloat(math.Float32frombits(binary.BigEndian.Uint32(v)))
	case KindDouble:
		return JavaDouble(math.Float64frombits(binary.BigEndian.Uint64(v)))
	case KindBoolean:
		return strconv.FormatBool(v[0] != 0)
	case KindUUID, KindTimeUUID:
		return UUID(v).String()
	case KindTimestamp:
		return TimestampText(int64(binary.BigEndian.Uint64(v)), 'T')
	case KindDate:
		return DateText(binary.BigEndian.Uint32(v))
	case KindTime:
		return TimeText(int64(binary.BigEndian.Uint64(v)))
	case KindInet:
		return InetText(v)
	case KindDuration:
		d, err := DecodeDuration(v)
		if err != nil {
			return ""
		}
		return d.String()
	}
	if len(t.elems) > 0 {
		return t.Format(v)
	}
	return "0x" + hex.EncodeToString(v)
}

// InetText prints the 4 or 16 bytes of an address as Java does, IPv6 without
// "::".
func InetText(v []byte) string {
	if len(v) == 4 {
		return netip.AddrFrom4([4]byte(v)).String()
	}
	if len(v) != 16 {
		return ""
	}
	parts := make([]string, 8)
	for i := range parts {
		parts[i] = strconv.FormatUint(uint64(binary.BigEndian.Uint16(v[2*i:])), 16)
	}
	return strings.Join(parts, ":")
}
