package shell

import (
	"bytes"
	"errors"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

func TestConvertType(t *testing.T) {
	native := func(k gocql.Type) gocql.TypeInfo { return gocql.NewNativeType(4, k, "") }
	udt := gocql.UDTTypeInfo{Name: "u", Elements: []gocql.UDTField{{Name: "a", Type: native(gocql.TypeInt)}}}
	got := convertType(gocql.TupleTypeInfo{Elems: []gocql.TypeInfo{native(gocql.TypeVarchar), udt, gocql.VectorType{SubType: native(gocql.TypeFloat), Dimensions: 3}}}, 0)
	if got.Kind != KindTuple || len(got.Elems) != 3 {
		t.Fatalf("%+v", got)
	}
	if e := got.Elems; e[0].Kind != KindText || e[1].Kind != KindUDT || e[1].Fields[0] != "a" || e[1].Elems[0].Kind != KindInt ||
		e[2].Kind != KindVector || e[2].Dim != 3 || e[2].Elems[0].Kind != KindFloat {
		t.Fatalf("%+v", got)
	}
	if len(nativeKinds) != 21 {
		t.Errorf("%d native types", len(nativeKinds))
	}
}

func TestJoinTuple(t *testing.T) {
	if raw := joinTuple([]any{&rawValue{}, &rawValue{}}); raw != nil {
		t.Errorf("%x", raw)
	}
	if raw := joinTuple([]any{&rawValue{i32(1)}, &rawValue{}}); !bytes.Equal(raw, sized(i32(1), nil)) {
		t.Errorf("%x", raw)
	}
}

func TestServerError(t *testing.T) {
	plain := errors.New("connection refused")
	if !errors.Is(serverError(plain), plain) {
		t.Error("a plain error was changed")
	}
	for code, want := range map[int]string{
		codeSyntax:  "SyntaxException: m",
		codeInvalid: `InvalidRequest: Error from server: code=2200 [Invalid query] message="m"`,
		0x2400:      `AlreadyExists: Error from server: code=2400 [Item already exists] message="m"`,
		0x9999:      `Error: Error from server: code=9999 [Error] message="m"`,
	} {
		if got := (&ServerError{code, "m"}).Error(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
