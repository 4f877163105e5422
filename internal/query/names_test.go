package query

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ilion-db/ilion/cql/native"
)

// named is n values with names, of which the columns need all, in another order.
func named(n int) (*native.QueryParams, []native.Column) {
	params, cols := &native.QueryParams{}, make([]native.Column, n)
	for i := range n {
		name := fmt.Sprintf("column_%d", i)
		cols[i].Name = name
		params.Names, params.Values = append(params.Names, []byte(name)), append(params.Values, native.Value{Bytes: []byte(name)})
	}
	rand.Shuffle(n, func(i, j int) {
		params.Names[i], params.Names[j] = params.Names[j], params.Names[i]
		params.Values[i], params.Values[j] = params.Values[j], params.Values[i]
	})
	return params, cols
}

// TestManyNames binds few and many values by their names.
func TestManyNames(t *testing.T) {
	for _, n := range []int{1, fewNames - 1, fewNames, fewNames + 1, 1<<16 - 2} {
		params, cols := named(n)
		c := new(call)
		values, err := c.byName(params, cols)
		if err != nil || len(values) != n {
			t.Fatalf("%d names: %d values, %v", n, len(values), err)
		}
		for i := range cols {
			if string(values[i].Bytes) != cols[i].Name {
				t.Fatalf("%d names: %s is %s", n, cols[i].Name, values[i].Bytes)
			}
		}
		// The last of a name counts.
		params.Names, params.Values = append(params.Names, []byte(cols[0].Name)), append(params.Values, native.Value{Bytes: []byte("again")})
		if values, err = c.byName(params, cols); err != nil || string(values[0].Bytes) != "again" {
			t.Fatalf("%d names and one again: %v", n, err)
		}
		cols[n-1].Name = "another"
		if _, err = c.byName(params, cols); err == nil {
			t.Fatalf("%d names: one that is missing is not missed", n)
		}
	}
	params, cols := named(fewNames)
	c := new(call)
	if n := testing.AllocsPerRun(10, func() { _, _ = c.byName(params, cols) }); n > 0 {
		t.Errorf("%v allocations for few names", n)
	}
}

func BenchmarkByName(b *testing.B) {
	for _, n := range []int{4, fewNames, fewNames + 1, 1000, 65535} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			params, cols := named(n)
			c := new(call)
			for b.Loop() {
				if _, err := c.byName(params, cols); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
