package virtual

import (
	"encoding/binary"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"

	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// text is never nil, textOrNull is for the empty string.
func text(s string) []byte {
	if s == "" {
		return []byte{}
	}
	return []byte(s)
}

func textOrNull(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func int32Value(n int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

func bigint(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func double(f float64) []byte { return binary.BigEndian.AppendUint64(nil, math.Float64bits(f)) }

func boolean(b bool) []byte {
	if b {
		return []byte{1}
	}
	return []byte{0}
}

func uuid(u schema.UUID) []byte { return u[:] }

// inet is null for an address that is not set. An IPv4 address in an IPv6 one
// is shown as IPv4.
func inet(a netip.Addr) []byte {
	if !a.IsValid() {
		return nil
	}
	return a.Unmap().AsSlice()
}

func port(a netip.AddrPort) []byte {
	if !a.IsValid() {
		return nil
	}
	return int32Value(int32(a.Port()))
}

// list makes a list<text>, or a set<text> if the texts are in order.
func list(texts []string) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(texts)))
	for _, s := range texts {
		out = appendText(out, s)
	}
	return out
}

func appendText(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}

// textMap makes a map<text,text>, or a map<text,blob>.
func textMap[V ~string | ~[]byte](m map[string]V) []byte {
	var few [8]string
	keys, size := few[:0], 4
	for k, v := range m {
		keys = append(keys, k)
		size += 8 + len(k) + len(v)
	}
	slices.Sort(keys)
	out := binary.BigEndian.AppendUint32(make([]byte, 0, size), uint32(len(m)))
	for _, k := range keys {
		v := m[k]
		out = appendText(out, k)
		out = binary.BigEndian.AppendUint32(out, uint32(len(v)))
		out = append(out, v...)
	}
	return out
}

func counts(m map[int32]int64) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(m)))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = binary.BigEndian.AppendUint32(out, 4)
		out = binary.BigEndian.AppendUint32(out, uint32(k))
		out = binary.BigEndian.AppendUint32(out, 8)
		out = binary.BigEndian.AppendUint64(out, uint64(m[k]))
	}
	return out
}

func tokenText(t ring.Token) string { return strconv.FormatInt(int64(t), 10) }

// tokenSet is null without tokens, as a set of many cells is when empty.
func tokenSet(tokens []ring.Token) []byte {
	if len(tokens) == 0 {
		return nil
	}
	texts := make([]string, len(tokens))
	for i, t := range tokens {
		texts[i] = tokenText(t)
	}
	slices.Sort(texts)
	return list(texts)
}
