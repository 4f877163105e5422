package schema

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
)

const marshalPackage = "org.apache.cassandra.db.marshal."

// marshalNames are the class names of native types: drivers of protocol
// versions that lack a number for a type get it as a custom class.
var marshalNames = map[Kind]string{
	KindASCII: "AsciiType", KindBigint: "LongType", KindBlob: "BytesType", KindBoolean: "BooleanType",
	KindCounter: "CounterColumnType", KindDate: "SimpleDateType", KindDecimal: "DecimalType",
	KindDouble: "DoubleType", KindDuration: "DurationType", KindFloat: "FloatType", KindInet: "InetAddressType",
	KindInt: "Int32Type", KindSmallint: "ShortType", KindText: "UTF8Type", KindTime: "TimeType",
	KindTimestamp: "TimestampType", KindTimeUUID: "TimeUUIDType", KindTinyint: "ByteType", KindUUID: "UUIDType",
	KindVarint: "IntegerType", KindEmpty: "EmptyType",
}

var nativeOf = map[Kind]*Type{KindEmpty: TypeEmpty}

func init() {
	for _, t := range natives {
		nativeOf[t.kind] = t
	}
}

// NativeType returns the type without parameters of that kind, or nil.
func NativeType(k Kind) *Type { return nativeOf[k] }

// minVersion is the protocol version from which a kind has a number.
func minVersion(k Kind) uint8 {
	switch k {
	case KindDuration:
		return 5
	case KindDate, KindTime, KindSmallint, KindTinyint:
		return 4
	}
	return 0
}

// AppendTypeOption appends the type as the native protocol's [option] of that
// version: u16 id, then for id 0 the class name, for collections the elements'
// options, for user-defined types and tuples the fields. Big-endian.
func (t *Type) AppendTypeOption(dst []byte, version uint8) []byte {
	if t.kind == KindCustom || t.kind == KindVector || t.kind == KindEmpty || version < minVersion(t.kind) {
		dst = binary.BigEndian.AppendUint16(dst, 0)
		return appendShortString(dst, t.ClassName())
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(t.kind))
	switch t.kind {
	case KindUDT:
		dst = appendShortString(dst, t.keyspace)
		dst = appendShortString(dst, t.name)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(t.elems)))
		for i, e := range t.elems {
			dst = appendShortString(dst, t.fields[i])
			dst = e.AppendTypeOption(dst, version)
		}
		return dst
	case KindTuple:
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(t.elems)))
	}
	for _, e := range t.elems {
		dst = e.AppendTypeOption(dst, version)
	}
	return dst
}

func appendShortString(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

// ClassName is the type as Cassandra's marshal class, for example
// "org.apache.cassandra.db.marshal.VectorType(org.apache.cassandra.db.marshal.FloatType , 3)".
func (t *Type) ClassName() string {
	if n, ok := marshalNames[t.kind]; ok {
		return marshalPackage + n
	}
	args := make([]string, len(t.elems))
	for i, e := range t.elems {
		args[i] = e.ClassName()
	}
	var s string
	switch t.kind {
	case KindCustom:
		return t.class
	case KindVector:
		return marshalPackage + "VectorType(" + args[0] + " , " + strconv.Itoa(t.dim) + ")"
	case KindTuple:
		return marshalPackage + "TupleType(" + strings.Join(args, ",") + ")"
	case KindList:
		s = "ListType"
	case KindSet:
		s = "SetType"
	case KindMap:
		s = "MapType"
	case KindUDT:
		s = "UserType"
		for i := range args {
			args[i] = hex.EncodeToString([]byte(t.fields[i])) + ":" + args[i]
		}
		args = append([]string{t.keyspace, hex.EncodeToString([]byte(t.name))}, args...)
	}
	s = marshalPackage + s + "(" + strings.Join(args, ",") + ")"
	if t.frozen {
		s = marshalPackage + "FrozenType(" + s + ")"
	}
	return s
}
