package native

// TypeOption appends a type as the protocol's metadata shows it: its id, and
// for collections, tuples, user-defined and custom types what follows it.
// Implementations know how older versions spell newer types.
type TypeOption interface {
	AppendTypeOption(dst []byte, version uint8) []byte
}

// Column is one column of result or bind metadata.
type Column struct {
	Keyspace, Table, Name string
	Type                  TypeOption
}

// AppendTypeOption makes the id of a plain type a TypeOption.
func (id TypeID) AppendTypeOption(dst []byte, _ uint8) []byte { return appendU16(dst, uint16(id)) }

// AppendCustomType appends a type that is known by the name of its class.
func AppendCustomType(dst []byte, class string) []byte {
	dst = appendU16(dst, uint16(TypeCustom))
	return AppendString(dst, class)
}
