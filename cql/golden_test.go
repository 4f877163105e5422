package cql

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "accept the output as the golden files")

// readInputs reads testdata/name.cql: statements between lines of three dashes.
func readInputs(t testing.TB, name string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".cql"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	var b strings.Builder
	sc := bufio.NewScanner(bytes.NewReader(data))
	for sc.Scan() {
		if sc.Text() == "---" {
			list = append(list, strings.TrimSuffix(b.String(), "\n"))
			b.Reset()
			continue
		}
		b.WriteString(sc.Text() + "\n")
	}
	return append(list, strings.TrimSuffix(b.String(), "\n"))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s line %d:\n got %s\nwant %s", path, i+1, g[i], w[i])
		}
	}
	t.Fatalf("%s: %d lines, want %d", path, len(g), len(w))
}

// TestGoldenStatements keeps the tree of every kind of statement.
func TestGoldenStatements(t *testing.T) {
	for _, name := range []string{"select", "modify", "ddl", "admin"} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for _, in := range readInputs(t, name) {
				s, err := Parse(in)
				if err != nil {
					t.Errorf("%s\n%v", in, err)
					continue
				}
				fmt.Fprintf(&b, "%s\n    %s\n", in, dump(reflect.ValueOf(s)))
			}
			golden(t, name, b.String())
		})
	}
}

// TestGoldenErrors keeps message and place of what is refused.
func TestGoldenErrors(t *testing.T) {
	var b strings.Builder
	for _, in := range readInputs(t, "errors") {
		s, err := Parse(in)
		if err == nil {
			t.Errorf("%s\nparsed as %s", in, dump(reflect.ValueOf(s)))
			continue
		}
		e := err.(*SyntaxError)
		fmt.Fprintf(&b, "%s\n    %s\n    at %d:%d, offset %d, %d bytes\n", in, e.Msg, e.Line, e.Col, e.Offset, e.Length)
	}
	golden(t, "errors", b.String())
}

// dump prints a tree on one line without places and zero values; expressions and types as CQL.
func dump(v reflect.Value) string {
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case Expr:
			return strings.TrimPrefix(fmt.Sprintf("%T", x), "*cql.") + "(" + x.String() + ")"
		case *TypeExpr:
			return "<" + x.String() + ">"
		case Ident:
			if x.Quoted {
				return fmt.Sprintf("%q", x.Name)
			}
			return x.Name
		case Name:
			return x.String()
		case fmt.Stringer:
			return x.String()
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return dump(v.Elem())
	case reflect.Slice, reflect.Array:
		var parts []string
		for i := range v.Len() {
			parts = append(parts, dump(v.Index(i)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Struct:
		var parts []string
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Name == "node" {
				if m := v.Field(i).FieldByName("markers"); m.Len() > 0 {
					parts = append(parts, fmt.Sprintf("markers=%d", m.Len()))
				}
				continue
			}
			if v.Field(i).IsZero() || f.Type == reflect.TypeFor[Pos]() {
				continue
			}
			parts = append(parts, f.Name+"="+dump(v.Field(i)))
		}
		return v.Type().Name() + "{" + strings.Join(parts, " ") + "}"
	}
	return fmt.Sprint(v.Interface())
}
