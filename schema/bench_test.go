package schema

import "testing"

func BenchmarkAppendComparable(b *testing.B) {
	buf := make([]byte, 0, 64)
	for _, c := range []struct {
		ty *Type
		v  []byte
	}{{TypeInt, []byte{0, 0, 0, 1}}, {TypeTimeUUID, []byte("012345\x12789abcdef")}, {TypeText, []byte("user:0000012345")}} {
		b.Run(c.ty.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.ty.AppendComparable(buf, c.v, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	s := NewSnapshot()
	s, _ = s.Apply(Change{Kind: CreateKeyspace, Keyspace: exampleKeyspace()}, 1)
	t := exampleTable(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Apply(Change{Kind: CreateTable, Table: t}, 2); err != nil {
			b.Fatal(err)
		}
	}
}
