package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/schema"
)

func itoa(i int) string { return strconv.Itoa(i) }

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// schemaKinds are the kinds of constants as package schema numbers them.
var schemaKinds = [...]schema.LiteralKind{
	cql.LitString:   schema.StringLiteral,
	cql.LitInteger:  schema.IntegerLiteral,
	cql.LitFloat:    schema.FloatLiteral,
	cql.LitBool:     schema.BooleanLiteral,
	cql.LitUUID:     schema.UUIDLiteral,
	cql.LitHex:      schema.HexLiteral,
	cql.LitDuration: schema.DurationLiteral,
}

func literalFits(l cql.LiteralKind, t *schema.Type) bool {
	return l == cql.LitNull || t.Accepts(schemaKinds[l])
}

// literal yields the bytes of a constant for a receiver, nil for null.
func literal(e *cql.Literal, name string, t *schema.Type) ([]byte, error) {
	if e.Kind == cql.LitNull {
		return nil, nil
	}
	text := e.Text
	if e.Kind == cql.LitHex {
		text = "0x" + text
	}
	if !literalFits(e.Kind, t) {
		return nil, invalid("Invalid %s constant (%s) for \"%s\" of type %s", e.Kind, text, name, t)
	}
	v, err := t.ParseLiteral(schemaKinds[e.Kind], text)
	if err != nil {
		return nil, wrap(err)
	}
	if v == nil {
		v = []byte{}
	}
	return v, nil
}

// literalType is the type of a constant where nothing else says it: in a
// SELECT list and as the argument of a function.
func literalType(e *cql.Literal) *schema.Type {
	switch e.Kind {
	case cql.LitString:
		return schema.TypeText
	case cql.LitInteger:
		if _, err := strconv.ParseInt(e.Text, 10, 32); err == nil {
			return schema.TypeInt
		}
		if _, err := strconv.ParseInt(e.Text, 10, 64); err == nil {
			return schema.TypeBigint
		}
		return schema.TypeVarint
	case cql.LitFloat:
		if strings.ContainsAny(e.Text, "NI") {
			return schema.TypeDouble
		}
		if _, err := strconv.ParseFloat(e.Text, 64); err == nil {
			return schema.TypeDouble
		}
		return schema.TypeDecimal
	case cql.LitBool:
		return schema.TypeBoolean
	case cql.LitUUID:
		return schema.TypeUUID
	case cql.LitHex:
		return schema.TypeBlob
	case cql.LitDuration:
		return schema.TypeDuration
	}
	return nil
}
