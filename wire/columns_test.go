package wire_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
)

// Types that lie in each other twice as often at each step, as no server has
// them, must not take more time than they have bytes.
func TestColumnsOfDoubledTypes(t *testing.T) {
	typ := schema.UDTOf("ks", "t0", []string{"a"}, []*schema.Type{schema.TypeInt}, true)
	for i := range 100 {
		typ = schema.UDTOf("ks", fmt.Sprint("t", i+1), []string{"a", "b"}, []*schema.Type{typ, typ}, true)
	}
	p := wire.Prepared{Bind: []wire.Column{{Keyspace: "ks", Table: "t", Name: "c", Type: typ}, {Keyspace: "ks", Table: "t", Name: "d", Type: schema.ListOf(typ, false)}}}
	enc := p.Append(nil)
	var got wire.Prepared
	if err := got.Decode(enc); err != nil {
		t.Fatal(err)
	}
	if again := got.Append(nil); !bytes.Equal(again, enc) {
		t.Fatalf("%x became %x", enc, again)
	}
}
