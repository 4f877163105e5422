package plan

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// appendJSON appends a valid value as JSON in Cassandra's spelling; nil is null.
func appendJSON(dst []byte, t *schema.Type, v []byte) []byte {
	if v == nil {
		return append(dst, "null"...)
	}
	if len(v) == 0 && (t.FixedLen() > 0 || t.Kind() == schema.KindVarint || t.Kind() == schema.KindDecimal) {
		return append(dst, `""`...)
	}
	switch t.Kind() {
	case schema.KindFloat, schema.KindDouble:
		if f := realOf(t, v); math.IsNaN(f) || math.IsInf(f, 0) {
			return append(dst, "null"...)
		}
		return append(dst, t.FormatText(v)...)
	case schema.KindTinyint, schema.KindSmallint, schema.KindInt, schema.KindBigint, schema.KindCounter,
		schema.KindVarint, schema.KindDecimal, schema.KindBoolean:
		return append(dst, t.FormatText(v)...)
	case schema.KindList, schema.KindSet, schema.KindTuple, schema.KindVector:
		return appendJSONList(dst, t, v)
	case schema.KindMap, schema.KindUDT:
		return appendJSONMap(dst, t, v)
	case schema.KindTimestamp:
		return appendJSONString(dst, schema.TimestampText(fromBE64(v), ' '))
	}
	return appendJSONString(dst, t.FormatText(v))
}

func appendJSONString(dst []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return append(dst, `""`...)
	}
	return append(dst, bytes.TrimRight(b.Bytes(), "\n")...)
}

func appendJSONList(dst []byte, t *schema.Type, v []byte) []byte {
	dst = append(dst, '[')
	it := t.Elements(v)
	for i := 0; ; i++ {
		p, ok := it.Next()
		if !ok {
			return append(dst, ']')
		}
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendJSON(dst, it.Type(), p)
	}
}

func appendJSONMap(dst []byte, t *schema.Type, v []byte) []byte {
	dst = append(dst, '{')
	it := t.Elements(v)
	for i := 0; ; i++ {
		p, ok := it.Next()
		if !ok {
			return append(dst, '}')
		}
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if t.Kind() == schema.KindUDT {
			dst = append(appendJSONString(dst, jsonName(t.Fields()[i])), ": "...)
			dst = appendJSON(dst, it.Type(), p)
			continue
		}
		// A key is a string whatever its type is.
		key := appendJSON(nil, it.Type(), p)
		if len(key) > maxResult {
			return append(dst, key...) // to be refused; in quotes it would be twice as long, on each level
		}
		if len(key) == 0 || key[0] != '"' {
			key = appendJSONString(nil, string(key))
		}
		dst = append(append(dst, key...), ": "...)
		p, _ = it.Next()
		dst = appendJSON(dst, it.Type(), p)
	}
}

// jsonName is a name in JSON: those that need quotes in CQL keep them.
func jsonName(name string) string {
	if name != strings.ToLower(name) {
		return `"` + name + `"`
	}
	return name
}

// selectJSON turns the selection into one column of JSON.
func (c *compiler) selectJSON(out *Select) error {
	x := &Expr{Kind: ExprJSON, Type: schema.TypeText, Args: out.Columns}
	for _, col := range out.Result.Columns() {
		x.names = append(x.names, jsonName(col.Name))
	}
	out.Columns, out.Plain = []*Expr{x}, nil
	out.Result = native.NewMetadata([]native.Column{{Keyspace: c.table.Keyspace, Table: c.table.Name, Name: "[json]", Type: x.Type}})
	return nil
}

func (e *Expr) evalJSON(b *binding, row Row) ([]byte, error) {
	out := []byte{'{'}
	for i, a := range e.Args {
		v, err := a.eval(b, row)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ", "...)
		}
		out = append(appendJSONString(out, e.names[i]), ": "...)
		if out = appendJSON(out, a.Type, v); len(out) > maxResult {
			return nil, errValues()
		}
	}
	return append(out, '}'), nil
}

// toJSON is the function to_json of a type.
func toJSON(t *schema.Type) *function {
	return &function{name: "to_json", args: []*schema.Type{t}, ret: schema.TypeText, nulls: true,
		f: func(_ *binding, a [][]byte) ([]byte, error) { return appendJSON(nil, t, a[0]), nil }}
}

// fromJSONTerm compiles from_json(...) for a receiver.
func (c *compiler) fromJSONTerm(e *cql.FunctionCall, name string, t *schema.Type) (*term, error) {
	if len(e.Args) != 1 {
		return nil, invalid("Invalid number of arguments in call to function system.from_json: 1 required but %d provided", len(e.Args))
	}
	arg, err := c.termExpr(e.Args[0], "arg0(system.from_json)", schema.TypeText)
	if err != nil {
		return nil, err
	}
	f := &function{name: "from_json", args: []*schema.Type{schema.TypeText}, ret: t,
		f: func(_ *binding, a [][]byte) ([]byte, error) {
			v, err := decodeJSON(a[0])
			if err != nil {
				return nil, failedCall(e.Name, "Could not decode JSON string '"+string(a[0])+"': "+err.Error())
			}
			p, err := fromJSON(t, v)
			if err == nil && p != nil {
				err = t.Validate(p)
			}
			if err != nil {
				return nil, failedCall(e.Name, err.Error())
			}
			return p, nil
		}}
	return &term{kind: termCall, typ: t, name: name, call: &Expr{Kind: ExprCall, Type: t, fn: f, Args: []*Expr{arg}}}, nil
}

// failedCall is the error of a function of one text.
func failedCall(n cql.Name, why string) error {
	return native.FunctionFailure("system", n.Name, []string{"text"}, "execution of '"+functionDisplay(n)+"[text]' failed: "+why)
}

func decodeJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, invalid("more than one value")
	}
	return v, nil
}

// fromJSON makes a value of a type out of decoded JSON. The caller validates it:
// "" stands for the empty value, which not every type has.
func fromJSON(t *schema.Type, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		if t.Kind() == schema.KindBoolean {
			return []byte{choose[byte](v, 1, 0)}, nil
		}
	case json.Number:
		kind := schema.IntegerLiteral
		if strings.ContainsAny(v.String(), ".eE") {
			kind = schema.FloatLiteral
		}
		if t.Accepts(kind) && t.Kind() != schema.KindDuration {
			p, err := t.ParseLiteral(kind, v.String())
			return p, wrap(err)
		}
	case string:
		if len(t.Elems()) > 0 {
			return compoundFromText(t, v)
		}
		if v == "" && t.Kind() == schema.KindBoolean {
			return []byte{0}, nil
		}
		if v == "" && emptyString(t) {
			return []byte{}, nil
		}
		if t.Kind() == schema.KindBlob && !strings.HasPrefix(v, "0x") {
			return nil, invalid("Value '%s' is not a valid blob representation: String representation of blob is missing 0x prefix: %s", v, v)
		}
		p, err := t.ParseText(v)
		if p == nil && err == nil {
			p = []byte{}
		}
		return p, wrap(err)
	case []any:
		return listFromJSON(t, v)
	case map[string]any:
		return mapFromJSON(t, v)
	}
	return nil, invalid("Expected a value of type %s, but got: %v", t, v)
}

// emptyString tells whether "" is the empty value of the type, as it is of those
// that are no strings, but of booleans, dates, times and the largest numbers.
func emptyString(t *schema.Type) bool {
	switch t.Kind() {
	case schema.KindBigint, schema.KindDecimal, schema.KindDouble, schema.KindFloat, schema.KindInt,
		schema.KindSmallint, schema.KindTimeUUID, schema.KindTinyint, schema.KindUUID:
		return true
	}
	return false
}

// compoundFromText makes a value of a compound type out of a string that is JSON
// itself, as keys of maps are.
func compoundFromText(t *schema.Type, text string) ([]byte, error) {
	v, err := decodeJSON([]byte(text))
	if err != nil {
		return nil, invalid("Error decoding JSON string: %v", err)
	}
	if _, again := v.(string); again || v == nil {
		return nil, invalid("Expected a value of type %s, but got: %v", t, v)
	}
	return fromJSON(t, v)
}

func partsFromJSON(t *schema.Type, list []any, typeOf func(i int) *schema.Type) ([]byte, error) {
	tuple := t.Kind() == schema.KindTuple || t.Kind() == schema.KindUDT
	parts := make([][]byte, len(list))
	for i, e := range list {
		p, err := fromJSON(typeOf(i), e)
		if err != nil {
			return nil, err
		}
		if p == nil && !tuple {
			return nil, invalid("Invalid null element in %s", kindWord(t))
		}
		parts[i] = p
	}
	return packCompound(t, parts), nil
}

// kindWord is the type without what is in it.
func kindWord(t *schema.Type) string {
	word, _, _ := strings.Cut(strings.TrimPrefix(t.String(), "frozen<"), "<")
	return word
}

func listFromJSON(t *schema.Type, list []any) ([]byte, error) {
	switch t.Kind() {
	case schema.KindList, schema.KindSet:
	case schema.KindVector:
		if len(list) != t.Dimension() {
			return nil, invalid("Expected %d elements for %s, but got %d", t.Dimension(), t, len(list))
		}
	case schema.KindTuple:
		switch {
		case len(list) > len(t.Elems()):
			return nil, invalid("Tuple contains extra items (expected %d): %v", len(t.Elems()), list)
		case len(list) < len(t.Elems()):
			return nil, invalid("Tuple is missing items (expected %d): %v", len(t.Elems()), list)
		}
	default:
		return nil, invalid("Expected a value of type %s, but got a list: %v", t, list)
	}
	return partsFromJSON(t, list, func(i int) *schema.Type { return partType(t, i) })
}

func mapFromJSON(t *schema.Type, m map[string]any) ([]byte, error) {
	var list []any
	switch t.Kind() {
	case schema.KindMap:
		for _, k := range sortedNames(m) {
			list = append(list, k, m[k])
		}
	case schema.KindUDT:
		names := jsonNames(m)
		for _, f := range t.Fields() {
			list = append(list, names[f])
			delete(names, f)
		}
		for _, left := range sortedNames(names) {
			return nil, invalid("Unknown field '%s' in value of user defined type %s", left, t)
		}
	default:
		return nil, invalid("Expected a value of type %s, but got a map: %v", t, m)
	}
	return partsFromJSON(t, list, func(i int) *schema.Type { return partType(t, i) })
}

// jsonNames folds names as CQL does, but for those in quotes.
func jsonNames(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if n := len(k); n >= 2 && k[0] == '"' && k[n-1] == '"' {
			out[k[1:n-1]] = v
		} else {
			out[strings.ToLower(k)] = v
		}
	}
	return out
}

// insertJSON compiles INSERT JSON: every column takes its value out of the
// document when the statement is bound.
func (c *compiler) insertJSON(s *cql.Insert) (*Modification, error) {
	if err := c.writable(s.Table); err != nil {
		return nil, err
	}
	if s.IfNotExists {
		return nil, unsupported("A conditional write (IF NOT EXISTS)")
	}
	doc, err := c.term(s.JSON, "[json]", schema.TypeText)
	if err != nil {
		return nil, err
	}
	m := c.newModification("INSERT")
	m.marker = true
	d := &document{source: doc, table: c.table}
	given := make(map[*schema.Column]*term)
	for _, col := range c.table.Columns() {
		if isCounter(col) {
			return nil, invalid("INSERT statements are not allowed on counter tables, use UPDATE instead")
		}
		t := &term{kind: termJSON, typ: col.Type, name: col.Name, doc: d,
			unset: s.JSONDefault == cql.JSONDefaultUnset && (col.Kind == schema.Static || col.Kind == schema.Regular)}
		given[col] = t
		if col.Kind == schema.Static || col.Kind == schema.Regular {
			m.add(op{kind: opSet, col: col, value: t})
		}
	}
	if err := m.insertKeys(given); err != nil {
		return nil, err
	}
	return m, c.finish(m, &s.Using)
}

// document is the JSON of an INSERT.
type document struct {
	source *term
	table  *schema.Table
}

// value is the column's value in the document, which is decoded once per bind.
func (d *document) value(b *binding, t *term) (Value, error) {
	if b.doc != d || b.columns == nil {
		if err := d.decode(b); err != nil {
			return Value{}, err
		}
	}
	v, ok := b.columns[t.name]
	if !ok {
		return Value{Unset: t.unset}, nil
	}
	p, err := fromJSON(t.typ, v)
	if err != nil {
		return Value{}, invalid("Error decoding JSON value for %s: %s", t.name, err.Error())
	}
	if p != nil {
		if err := t.typ.Validate(p); err != nil {
			return Value{}, wrap(err)
		}
	}
	return Value{Bytes: p}, nil
}

func (d *document) decode(b *binding) error {
	src, err := d.source.eval(b)
	if err != nil {
		return err
	}
	if src.Bytes == nil || string(bytes.TrimSpace(src.Bytes)) == "null" {
		return invalid("Got null for INSERT JSON values")
	}
	v, err := decodeJSON(src.Bytes)
	if err != nil {
		return invalid("Could not decode JSON string as a map: %v. (String was: %s)", err, src.Bytes)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return invalid("Could not decode JSON string as a map. (String was: %s)", src.Bytes)
	}
	b.doc, b.columns = d, jsonNames(m)
	names := sortedNames(b.columns)
	if i := slices.IndexFunc(names, func(n string) bool { return d.table.Column(n) == nil }); i >= 0 {
		b.columns = nil
		return invalid("JSON values map contains unrecognized column: %s", names[i])
	}
	return nil
}
