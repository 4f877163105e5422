package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// function is a built-in scalar function with its types fixed.
type function struct {
	name string
	args []*schema.Type
	ret  *schema.Type
	// nulls tells that f wants null arguments too; else null gives null.
	nulls bool
	f     func(b *binding, args [][]byte) ([]byte, error)
}

func (f *function) call(b *binding, args [][]byte) ([]byte, error) {
	if !f.nulls && slices.ContainsFunc(args, func(a []byte) bool { return a == nil }) {
		return nil, nil
	}
	out, err := f.f(b, args)
	if err == nil && len(out) > maxResult {
		return nil, failedFunction(f.name, f.args, errResult)
	}
	return out, err
}

// maxResult bounds what an expression makes of values, and the values that it takes,
// in bytes: calls of calls, and a column that is named often, come to any size.
const maxResult = 64 << 20

var errResult = fmt.Errorf("the result is larger than %d bytes", maxResult)

func (f *function) signature() string {
	parts := make([]string, len(f.args))
	for i, a := range f.args {
		parts[i] = a.String()
	}
	return "system." + f.name + " : (" + strings.Join(parts, ", ") + ") -> " + f.ret.String()
}

// functions are the built-in scalar functions by lower-case name, with every
// signature spelled out.
var functions = map[string][]*function{}

func register(f *function) { functions[f.name] = append(functions[f.name], f) }

// aliases are the spellings of before Cassandra 5.0.
var aliases = map[string]string{
	"todate": "to_date", "totimestamp": "to_timestamp", "tounixtimestamp": "to_unix_timestamp",
	"mintimeuuid": "min_timeuuid", "maxtimeuuid": "max_timeuuid",
	"currenttimestamp": "current_timestamp", "currentdate": "current_date",
	"currenttime": "current_time", "tojson": "to_json", "currenttimeuuid": "current_timeuuid",
}

// failedFunction is the error of a built-in function.
func failedFunction(name string, args []*schema.Type, err error) error {
	types := make([]string, len(args))
	for i, t := range args {
		types[i] = t.String()
	}
	return native.FunctionFailure("system", name, types, "execution of 'system."+name+"["+strings.Join(types, ", ")+"]' failed: "+err.Error())
}

// functionDisplay is a function's name as messages and result columns show it.
func functionDisplay(n cql.Name) string {
	if n.Keyspace != "" {
		return n.Keyspace + "." + n.Name
	}
	return "system." + n.Name
}

// nameAsCalled is a function's name as it was written.
func nameAsCalled(n cql.Name) string {
	if n.Keyspace != "" {
		return n.Keyspace + "." + n.Name
	}
	return n.Name
}

// argument is what is known of an argument before the function is: a type, or
// a constant or bind marker that takes the type of the parameter.
type argument struct {
	text   string
	typ    *schema.Type
	lit    *cql.Literal
	marker bool
}

func (a *argument) fits(t *schema.Type) bool {
	switch {
	case a.lit != nil:
		return literalFits(a.lit.Kind, t)
	case a.marker:
		return true
	}
	return assignable(a.typ, t)
}

func (a *argument) exact(t *schema.Type) bool {
	switch {
	case a.lit != nil:
		lt := literalType(a.lit)
		return lt == nil || lt.Equal(t)
	case a.marker:
		return true
	}
	return a.typ.Freeze().Equal(t.Freeze())
}

// resolve finds the function for its arguments. Of several that take them it is
// the one that yields the type of the receiver, if that is known.
func resolve(name cql.Name, args []argument, scope exprScope, receiver *schema.Type) (*function, error) {
	n := name.Name
	if a, ok := aliases[n]; ok {
		n = a
	}
	list := functions[n]
	if list == nil && len(args) == 1 && args[0].typ != nil {
		if f := collectionFunction(n, args[0].typ); f != nil {
			return f, nil
		}
		if n == "to_json" {
			return toJSON(args[0].typ), nil
		}
		if err := refuseCollection(n, args[0].text, args[0].typ); err != nil {
			return nil, err
		}
	}
	if list == nil || name.Keyspace != "" && name.Keyspace != "system" {
		return nil, errUnknownFunction(name, scope)
	}
	if len(list) == 1 {
		return list[0], checkArguments(list[0], functionDisplay(name), args)
	}
	var fit, exact []*function
	for _, f := range list {
		if len(f.args) != len(args) {
			continue
		}
		all, same := true, true
		for i := range args {
			all = all && args[i].fits(f.args[i])
			same = same && args[i].exact(f.args[i])
		}
		if all && same {
			exact = append(exact, f)
		}
		if all {
			fit = append(fit, f)
		}
	}
	yields := func(f *function) bool { return receiver != nil && f.ret.Equal(receiver) }
	switch i := slices.IndexFunc(fit, yields); {
	case i >= 0:
		return fit[i], nil
	case len(exact) > 0:
		fit = exact
	}
	switch {
	case len(fit) == 0:
		return nil, invalid("Invalid call to function %s, none of its type signatures match (known type signatures: %s)", nameAsCalled(name), signaturesOf(list))
	case len(fit) > 1 && slices.ContainsFunc(args, func(a argument) bool { return a.marker || a.lit != nil }):
		return nil, invalid("Ambiguous call to function %s (can be matched by following signatures: %s): use type casts to disambiguate",
			nameAsCalled(name), signaturesOf(fit))
	}
	return fit[0], nil
}

// errUnknownFunction is in Cassandra's words, which differ with the place.
func errUnknownFunction(name cql.Name, scope exprScope) error {
	if scope == exprTerm {
		return invalid("Unknown function %s called", nameAsCalled(name))
	}
	return invalid("Unknown function '%s'", nameAsCalled(name))
}

func signaturesOf(list []*function) string {
	texts := make([]string, len(list))
	for i, f := range list {
		texts[i] = f.signature()
	}
	return strings.Join(texts, ", ")
}

func errArgument(text string, i int, name string, t *schema.Type) error {
	return invalid("Type error: %s cannot be passed as argument %d of function %s of type %s", text, i, name, t)
}

func checkArguments(f *function, name string, args []argument) error {
	if len(f.args) != len(args) {
		return invalid("Invalid number of arguments in call to function %s: %d required but %d provided", name, len(f.args), len(args))
	}
	for i := range args {
		if !args[i].fits(f.args[i]) {
			return errArgument(args[i].text, i, name, f.args[i])
		}
	}
	return nil
}

// conversionTypes are the types that have conversions from and to blob.
var conversionTypes = []*schema.Type{schema.TypeASCII, schema.TypeBigint, schema.TypeBoolean, schema.TypeCounter,
	schema.TypeDate, schema.TypeDecimal, schema.TypeDouble, schema.TypeDuration, schema.TypeFloat, schema.TypeInet,
	schema.TypeInt, schema.TypeSmallint, schema.TypeText, schema.TypeTime, schema.TypeTimestamp, schema.TypeTimeUUID,
	schema.TypeTinyint, schema.TypeUUID, schema.TypeVarint}

func init() {
	for _, t := range conversionTypes {
		names := []string{t.String()}
		if t == schema.TypeText {
			names = append(names, "varchar")
		}
		for _, n := range names {
			registerConversions(t, n+"_as_blob", "blob_as_"+n)
			registerConversions(t, n+"asblob", "blobas"+n)
		}
	}
}

func registerConversions(t *schema.Type, to, from string) {
	register(&function{name: to, args: []*schema.Type{t}, ret: schema.TypeBlob,
		f: func(_ *binding, a [][]byte) ([]byte, error) { return a[0], nil }})
	register(&function{name: from, args: []*schema.Type{schema.TypeBlob}, ret: t,
		f: func(_ *binding, a [][]byte) ([]byte, error) {
			if err := t.Validate(a[0]); err != nil {
				return nil, invalid("In call to function system.%s, value 0x%x is not a valid binary representation for type %s", from, a[0], t)
			}
			return a[0], nil
		}})
}
