package schema

import "encoding/binary"

// MaxKeyLen is the longest partition key, and the longest component of a key,
// in bytes.
const MaxKeyLen = 65535

// AppendPartitionKey appends the partition key made of its components' values:
// a single component as it is, several as u16 length, bytes and 0x00 each.
func AppendPartitionKey(dst []byte, components [][]byte) ([]byte, error) {
	start := len(dst)
	if len(components) == 1 {
		if n := len(components[0]); n == 0 {
			return dst, invalid("Key may not be empty")
		}
		dst = append(dst, components[0]...)
	} else {
		for _, c := range components {
			if len(c) > MaxKeyLen {
				return dst[:start], invalid("Key length of %d is longer than maximum of %d", len(c), MaxKeyLen)
			}
			dst = binary.BigEndian.AppendUint16(dst, uint16(len(c)))
			dst = append(append(dst, c...), 0)
		}
	}
	if n := len(dst) - start; n > MaxKeyLen {
		return dst[:start], invalid("Key length of %d is longer than maximum of %d", n, MaxKeyLen)
	}
	return dst, nil
}

// SplitPartitionKey returns the components of a partition key of t, aliasing
// it.
func SplitPartitionKey(t *Table, key []byte) ([][]byte, error) {
	out := make([][]byte, 0, len(t.PartitionKey))
	if len(t.PartitionKey) == 1 {
		return append(out, key), nil
	}
	for range t.PartitionKey {
		if len(key) < 3 {
			return nil, invalid("Partition key of %s.%s ends too early", t.Keyspace, t.Name)
		}
		n := int(binary.BigEndian.Uint16(key))
		if len(key) < n+3 || key[n+2] != 0 {
			return nil, invalid("Partition key of %s.%s is malformed", t.Keyspace, t.Name)
		}
		out = append(out, key[2:2+n:2+n])
		key = key[n+3:]
	}
	if len(key) != 0 {
		return nil, invalid("Partition key of %s.%s has extra bytes", t.Keyspace, t.Name)
	}
	return out, nil
}
