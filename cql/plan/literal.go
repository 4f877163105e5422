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

// literalKinds lists the types that each kind of constant may stand for.
var literalKinds = [...][]schema.Kind{
	cql.LitString: {schema.KindASCII, schema.KindText, schema.KindInet, schema.KindDate, schema.KindTime,
		schema.KindTimestamp, schema.KindCustom},
	cql.LitInteger: {schema.KindBigint, schema.KindCounter, schema.KindDate, schema.KindDecimal, schema.KindDouble,
		schema.KindDuration, schema.KindFloat, schema.KindInt, schema.KindSmallint, schema.KindTime,
		schema.KindTimestamp, schema.KindTinyint, schema.KindVarint},
	cql.LitFloat:    {schema.KindDecimal, schema.KindDouble, schema.KindFloat},
	cql.LitBool:     {schema.KindBoolean},
	cql.LitUUID:     {schema.KindUUID, schema.KindTimeUUID},
	cql.LitHex:      {schema.KindBlob, schema.KindCustom},
	cql.LitDuration: {schema.KindDuration},
}

func literalFits(l cql.LiteralKind, t *schema.Type) bool {
	return l == cql.LitNull || slices.Contains(literalKinds[l], t.Kind())
}

// literal yields the bytes of a constant for a receiver, nil for null.
func literal(e *cql.Literal, name string, t *schema.Type) ([]byte, error) {
	if e.Kind == cql.LitNull {
		return nil, nil
	}
	if !literalFits(e.Kind, t) {
		return nil, invalid("Invalid %s constant (%s) for \"%s\" of type %s", e.Kind, e.Text, name, t)
	}
	v, err := parseConstant(t, e)
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
