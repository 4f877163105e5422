package schema

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// LiteralKind is the category of a constant as the lexer sees it.
type LiteralKind uint8

// Kinds of constants.
const (
	StringLiteral LiteralKind = iota
	IntegerLiteral
	UUIDLiteral
	FloatLiteral // also NaN and Infinity
	BooleanLiteral
	DurationLiteral
	HexLiteral // the text has its 0x
)

func (k LiteralKind) String() string {
	return [...]string{"STRING", "INTEGER", "UUID", "FLOAT", "BOOLEAN", "DURATION", "HEX"}[k]
}

// LiteralError says that constants of a kind are not values of a type.
type LiteralError struct {
	Kind LiteralKind
	Text string
	Type *Type
}

func (e *LiteralError) Error() string { return e.For("") }

// For is the message for the column or argument of that name.
func (e *LiteralError) For(name string) string {
	return fmt.Sprintf("Invalid %s constant (%s) for \"%s\" of type %s", e.Kind, e.Text, name, e.Type)
}

// Accepts tells whether constants of that kind may be values of the type.
func (t *Type) Accepts(k LiteralKind) bool {
	switch t.kind {
	case KindASCII, KindText, KindInet:
		return k == StringLiteral
	case KindDate, KindTime, KindTimestamp:
		return k == StringLiteral || k == IntegerLiteral
	case KindBigint, KindCounter, KindInt, KindSmallint, KindTinyint, KindVarint:
		return k == IntegerLiteral
	case KindDecimal, KindDouble, KindFloat:
		return k == IntegerLiteral || k == FloatLiteral
	case KindDuration:
		return k == DurationLiteral || k == IntegerLiteral
	case KindUUID:
		return k == UUIDLiteral
	case KindTimeUUID:
		return k == UUIDLiteral
	case KindBoolean:
		return k == BooleanLiteral
	case KindBlob, KindCustom:
		return k == HexLiteral
	}
	return false
}

// ParseLiteral turns a constant into a value. The error is a *LiteralError if
// the kind does not fit the type, else an *Error in Cassandra's words.
func (t *Type) ParseLiteral(kind LiteralKind, text string) ([]byte, error) {
	if !t.Accepts(kind) {
		return nil, &LiteralError{Kind: kind, Text: text, Type: t}
	}
	return t.ParseText(text)
}

// ParseText turns the text of a value, without quotes, into the value: what
// constants, JSON strings and COPY share. Types without a text form and
// compound types are refused.
func (t *Type) ParseText(text string) ([]byte, error) {
	if (t.kind == KindVarint || t.kind == KindDecimal) && len(text) > maxNumberText {
		return nil, invalid("A number of %d characters is longer than the maximum of %d", len(text), maxNumberText)
	}
	switch t.kind {
	case KindASCII:
		if err := validateASCII([]byte(text)); err != nil {
			return nil, invalid("Invalid ASCII character in string literal: %s", text)
		}
		return []byte(text), nil
	case KindText:
		if !utf8.ValidString(text) {
			return nil, invalid("String didn't validate.")
		}
		return []byte(text), nil
	case KindBigint, KindCounter:
		return parseInt(text, 64, "long")
	case KindInt:
		return parseInt(text, 32, "int")
	case KindSmallint:
		return parseInt(text, 16, "short")
	case KindTinyint:
		return parseInt(text, 8, "byte")
	case KindVarint:
		n, ok := new(big.Int).SetString(strings.TrimPrefix(text, "+"), 10)
		if !ok {
			return nil, invalid("unable to make int from '%s'", text)
		}
		return appendBig(nil, n), nil
	case KindDecimal:
		if v, ok := ParseDecimal(text); ok {
			return v, nil
		}
		return nil, invalid("unable to make BigDecimal from '%s'", text)
	case KindFloat:
		f, err := parseFloat(text, 32)
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(f))), err
	case KindDouble:
		f, err := parseFloat(text, 64)
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(f)), err
	case KindBoolean:
		return parseBool(text)
	case KindUUID, KindTimeUUID:
		return t.parseUUID(text)
	case KindBlob, KindCustom:
		return parseBlob(text)
	}
	return t.parseQuoted(text)
}

// parseQuoted is ParseText for the types that are strings in CQL but not text.
func (t *Type) parseQuoted(text string) ([]byte, error) {
	switch t.kind {
	case KindInet:
		return parseInet(text)
	case KindTimestamp:
		if text == "" {
			return []byte{}, nil
		}
		ms, err := ParseTimestamp(text)
		return binary.BigEndian.AppendUint64(nil, uint64(ms)), err
	case KindDate:
		days, err := ParseDate(text)
		return binary.BigEndian.AppendUint32(nil, days), err
	case KindTime:
		ns, err := ParseTime(text)
		return binary.BigEndian.AppendUint64(nil, uint64(ns)), err
	case KindDuration:
		d, err := ParseDuration(text)
		if err != nil {
			return nil, err
		}
		return d.Append(nil), nil
	}
	return nil, invalid("No constant of type %s", t)
}

func parseInt(text string, bits int, name string) ([]byte, error) {
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return nil, invalid("Unable to make %s from '%s'", name, text)
	}
	return binary.BigEndian.AppendUint64(nil, uint64(n))[8-bits/8:], nil
}

func parseFloat(text string, bits int) (float64, error) {
	f, err := strconv.ParseFloat(text, bits)
	if err != nil && !math.IsInf(f, 0) || strings.ContainsAny(text, "xX_") {
		name := "double"
		if bits == 32 {
			name = "float"
		}
		return 0, invalid("Unable to make %s from '%s'", name, text)
	}
	return f, nil
}

func parseBool(text string) ([]byte, error) {
	switch {
	case strings.EqualFold(text, "true"):
		return []byte{1}, nil
	case strings.EqualFold(text, "false"):
		return []byte{0}, nil
	}
	return nil, invalid("Unable to make boolean from '%s'", text)
}

func (t *Type) parseUUID(text string) ([]byte, error) {
	u, err := ParseUUID(text)
	if err != nil {
		return nil, err
	}
	if t.kind == KindTimeUUID && u[6]>>4 != 1 {
		return nil, invalid("TimeUUID supports only version 1 UUIDs")
	}
	return u[:], nil
}

// ParseUUID reads the 36 characters of a UUID.
func ParseUUID(text string) (u UUID, err error) {
	if len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' {
		h := text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
		if raw, err := hex.DecodeString(h); err == nil {
			return UUID(raw), nil
		}
	}
	return u, invalid("Unable to make UUID from '%s'", text)
}

// String is the UUID in its 36 characters.
func (u UUID) String() string {
	var b [36]byte
	hex.Encode(b[:8], u[:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:], u[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

func parseBlob(text string) ([]byte, error) {
	h := text
	if len(h) >= 2 && h[0] == '0' && h[1]|0x20 == 'x' {
		h = h[2:]
	}
	raw, err := hex.DecodeString(h)
	if err != nil {
		return nil, invalid("cannot parse '%s' as hex bytes", h)
	}
	return raw, nil
}

// parseInet takes addresses only, no host names: a value must not depend on a
// name server.
func parseInet(text string) ([]byte, error) {
	if text == "" {
		return []byte{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return nil, invalid("Unable to make inet address from '%s'", text)
	}
	return a.Unmap().AsSlice(), nil
}
