package schema

import (
	"strconv"
	"strings"
)

// maxTypeDepth bounds the nesting of a type in a schema, whatever is behind the
// names in it, and maxTypeParts the types that it is made of: a type may lie in
// another in very many ways. maxVector bounds the elements of a vector.
const (
	maxTypeDepth = 32
	maxTypeParts = 1 << 16
	maxVector    = 65535

	// maxParsedDepth bounds the nesting of a type's text, names not looked behind:
	// results have types with some levels more than columns. With maxTextDepth
	// each level may be inside of frozen<>, as it is printed.
	maxParsedDepth = maxTypeDepth + 4
	maxTextDepth   = 2 * maxParsedDepth

	maxVectorBytes = 1 << 28
)

var natives = map[string]*Type{
	"ascii": TypeASCII, "bigint": TypeBigint, "blob": TypeBlob, "boolean": TypeBoolean,
	"counter": TypeCounter, "date": TypeDate, "decimal": TypeDecimal, "double": TypeDouble,
	"duration": TypeDuration, "float": TypeFloat, "inet": TypeInet,
	"int": TypeInt, "smallint": TypeSmallint, "text": TypeText, "time": TypeTime,
	"timestamp": TypeTimestamp, "timeuuid": TypeTimeUUID, "tinyint": TypeTinyint,
	"uuid": TypeUUID, "varchar": TypeText, "varint": TypeVarint,
}

// nativeNamed is the type without parameters of that name, or nil. CQL knows that
// of the empty type by its class name only.
func nativeNamed(name string) *Type {
	if name == TypeEmpty.text {
		return TypeEmpty
	}
	return natives[name]
}

// ParseType reads the CQL text of a type, for example
// "map<text, frozen<list<int>>>". Errors are meant for the client.
func ParseType(text string) (*Type, error) {
	return ParseTypeIn(text, func(name string) *Type { return nil })
}

// ParseTypeIn is ParseType where udt resolves the (unquoted) name of a
// user-defined type, to nil if there is none.
func ParseTypeIn(text string, udt func(name string) *Type) (*Type, error) {
	p := typeParser{s: text, udt: udt}
	t, err := p.parse(0)
	if err != nil {
		return nil, err
	}
	if p.skip(); p.i != len(p.s) {
		return nil, p.syntax()
	}
	if t.textDepth() > maxParsedDepth {
		return nil, errTypeDepth()
	}
	return t, nil
}

// textDepth is how deep the text of t nests, frozen<> not counted.
func (t *Type) textDepth() (n int) {
	if t.kind == KindUDT {
		return 1 // for frozen<> about its name
	}
	for _, e := range t.elems {
		n = max(n, e.textDepth()+1)
	}
	return n
}

type typeParser struct {
	s   string
	i   int
	udt func(string) *Type
}

func (p *typeParser) skip() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t' || p.s[p.i] == '\n' || p.s[p.i] == '\r') {
		p.i++
	}
}

func (p *typeParser) syntax() error {
	return syntax("Syntax error parsing type %q at position %d", p.s, p.i)
}

func (p *typeParser) eat(c byte) bool {
	p.skip()
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// quoted reads up to the closing quote q, which is doubled inside.
func (p *typeParser) quoted(q byte) (string, error) {
	var b strings.Builder
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		if c == q {
			if p.i >= len(p.s) || p.s[p.i] != q {
				return b.String(), nil
			}
			p.i++
		}
		b.WriteByte(c)
	}
	return "", p.syntax()
}

func (p *typeParser) word() string {
	p.skip()
	start := p.i
	for p.i < len(p.s) {
		c := p.s[p.i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '.' {
			p.i++
			continue
		}
		break
	}
	return p.s[start:p.i]
}

func (p *typeParser) parse(depth int) (*Type, error) {
	if depth > maxTextDepth {
		return nil, errTypeDepth()
	}
	switch {
	case p.eat('\''):
		class, err := p.quoted('\'')
		if err != nil {
			return nil, err
		}
		return customType(class)
	case p.eat('"'):
		name, err := p.quoted('"')
		if err != nil {
			return nil, err
		}
		return p.named(name)
	}
	w := strings.ToLower(p.word())
	if w == "" {
		return nil, p.syntax()
	}
	if !p.eat('<') {
		if t := nativeNamed(w); t != nil {
			return t, nil
		}
		return p.named(w)
	}
	if w == "vector" {
		return p.vector(depth)
	}
	args, err := p.args(depth)
	if err != nil {
		return nil, err
	}
	return p.generic(w, args)
}

// customType is the type of a class name in quotes: a native type under its
// class name, or one of the few others that hold plain bytes.
func customType(class string) (*Type, error) {
	full := class
	if !strings.Contains(class, ".") {
		full = marshalPackage + class
	}
	short := strings.TrimPrefix(full, marshalPackage)
	for k, name := range marshalNames {
		if name == short {
			return nativeOf[k], nil
		}
	}
	switch short {
	case "LexicalUUIDType", "DynamicCompositeType", "PartitionerDefinedOrder":
		return CustomOf(full), nil
	}
	return nil, syntax("Error setting type %s: Unable to find abstract-type class '%s'", class, full)
}

func (p *typeParser) named(name string) (*Type, error) {
	if t := p.udt(name); t != nil {
		return t, nil
	}
	return nil, invalid("Unknown type %s", name)
}

func (p *typeParser) args(depth int) ([]*Type, error) {
	var args []*Type
	for {
		t, err := p.parse(depth + 1)
		if err != nil {
			return nil, err
		}
		args = append(args, t)
		if p.eat('>') {
			return args, nil
		}
		if !p.eat(',') {
			return nil, p.syntax()
		}
	}
}

func (p *typeParser) vector(depth int) (*Type, error) {
	elem, err := p.parse(depth + 1)
	if err != nil {
		return nil, err
	}
	if !p.eat(',') {
		return nil, p.syntax()
	}
	n, err := strconv.Atoi(p.word())
	if err != nil || !p.eat('>') {
		return nil, p.syntax()
	}
	return NewVector(elem, n)
}

// NewVector is VectorOf with the checks that a client's type must pass.
func NewVector(elem *Type, n int) (*Type, error) {
	if n <= 0 {
		return nil, invalid("vectors may only have positive dimensions; given %d", n)
	}
	if n > maxVector {
		return nil, invalid("vectors may not have more than %d dimensions; given %d", maxVector, n)
	}
	if elem.Freeze().fixed > maxVectorBytes/n {
		return nil, invalid("vectors may not have more than %d bytes", maxVectorBytes)
	}
	return VectorOf(elem, n), nil
}

func (p *typeParser) generic(w string, args []*Type) (*Type, error) {
	want := map[string]int{"list": 1, "set": 1, "map": 2, "frozen": 1, "tuple": len(args)}
	if n, ok := want[w]; !ok || n != len(args) {
		return nil, p.syntax()
	}
	switch w {
	case "frozen":
		if len(args[0].elems) == 0 {
			return nil, syntax("frozen<> is only allowed on collections, tuples, and user-defined types (got %s)", args[0])
		}
		return args[0].Freeze(), nil
	case "tuple":
		return TupleOf(args...), nil
	case "list":
		return ListOf(args[0], false), nil
	case "set":
		return SetOf(args[0], false), nil
	}
	return MapOf(args[0], args[1], false), nil
}

func errTypeDepth() error {
	return invalid("Type is nested too deeply: at most %d levels are possible", maxTypeDepth)
}

// checkSize tells why t cannot be part of a schema.
func (t *Type) checkSize() error {
	switch {
	case t.depth > maxTypeDepth:
		return errTypeDepth()
	case t.parts > maxTypeParts:
		return invalid("Type is made of too many types: at most %d are possible", maxTypeParts)
	}
	return nil
}

// CheckColumnType tells a client why t cannot be the type of a column: nested
// non-frozen collections, counters in collections, durations as keys.
func CheckColumnType(t *Type) error {
	for _, e := range t.elems {
		if e.kind == KindCounter {
			if t.IsCollection() {
				return invalid("Counters are not allowed inside collections: %s", t)
			}
			return invalid("Counters are not allowed inside tuples")
		}
		if e.IsMultiCell() {
			switch {
			case e.kind == KindUDT && t.IsCollection():
				return invalid("Non-frozen UDTs are not allowed inside collections: %s", t)
			case e.kind == KindUDT:
				return invalid("Non-frozen UDTs are not allowed inside tuples: %s", t)
			case t.IsCollection():
				return invalid("Non-frozen collections are not allowed inside collections: %s", t)
			}
			return invalid("Non-frozen UDTs with nested non-frozen collections are not supported")
		}
		if err := CheckColumnType(e); err != nil {
			return err
		}
	}
	switch {
	case t.kind == KindSet && t.elems[0].ContainsDuration():
		return invalid("Durations are not allowed inside sets: %s", t)
	case t.kind == KindMap && t.elems[0].ContainsDuration():
		return invalid("Durations are not allowed as map keys: %s", t)
	}
	return nil
}
