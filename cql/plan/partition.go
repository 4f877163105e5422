package plan

import (
	"bytes"
	"slices"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// partitionKeys computes the keys that EQ and IN restrictions on all columns of
// the partition key allow, in (token, key) order without duplicates.
func partitionKeys(b *binding, rs []*restriction) ([]mutation.Key, error) {
	tuples := [][][]byte{nil}
	several := 0
	for _, r := range rs {
		values, err := r.each(b, nil)
		if err != nil {
			return nil, err
		}
		if len(values) > 1 {
			several++
		}
		if several > 1 && len(tuples)*len(values) > maxProduct {
			return nil, errProduct(len(tuples)*len(values), "partition key")
		}
		next := make([][][]byte, 0, len(tuples)*len(values))
		for _, t := range tuples {
			for _, v := range values {
				next = append(next, append(slices.Clone(t), v))
			}
		}
		tuples = next
	}
	keys := make([]mutation.Key, 0, len(tuples))
	for _, t := range tuples {
		k, err := makeKey(nil, t)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareKeys)
	return slices.CompactFunc(keys, func(a, b mutation.Key) bool { return compareKeys(a, b) == 0 }), nil
}

func compareKeys(a, b mutation.Key) int {
	switch {
	case a.Token < b.Token:
		return -1
	case a.Token > b.Token:
		return 1
	}
	return bytes.Compare(a.Key, b.Key)
}

// makeKey appends the partition key of components to dst and computes its token.
func makeKey(dst []byte, parts [][]byte) (mutation.Key, error) {
	start := len(dst)
	dst, err := schema.AppendPartitionKey(dst, parts)
	if err != nil {
		return mutation.Key{}, wrap(err)
	}
	key := dst[start:]
	return mutation.Key{Token: ring.Murmur3(key), Key: key}, nil
}

// SplitKey yields the components of a partition key, appended to dst.
func SplitKey(t *schema.Table, key []byte, dst [][]byte) [][]byte {
	if len(t.PartitionKey) == 1 {
		return append(dst, key)
	}
	for range t.PartitionKey {
		if len(key) < 2 {
			return append(dst, nil)
		}
		n := int(key[0])<<8 | int(key[1])
		n = min(n, len(key)-2)
		dst = append(dst, key[2:2+n:2+n])
		key = key[min(2+n+1, len(key)):]
	}
	return dst
}
