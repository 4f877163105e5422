package ring_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// TestTokensMatchCassandra goes over 10,000 keys of all types, of one column
// and of several, made by the classes of Cassandra 5.0.8 together with their
// tokens, see testdata/Tokens.java.
func TestTokensMatchCassandra(t *testing.T) {
	f, err := os.Open("testdata/tokens.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	keys, several, high := 0, 0, 0
	types := map[string]bool{}
	for lines := bufio.NewScanner(z); ; keys++ {
		if !lines.Scan() {
			if err := lines.Err(); err != nil {
				t.Fatal(err)
			}
			break
		}
		fields := strings.Split(lines.Text(), "\t")
		names := strings.Split(fields[0], "; ")
		key, err := hex.DecodeString(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		want, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := ring.Murmur3(key); got != ring.Token(want) {
			t.Errorf("%s: Murmur3(%x) = %d, want %d", fields[0], key, got, want)
		}
		// The key's bytes are Cassandra's: ours of the same values must be too.
		components, err := schema.SplitPartitionKey(&schema.Table{PartitionKey: make([]*schema.Column, len(names))}, key)
		if err != nil {
			t.Fatalf("%s: %x: %v", fields[0], key, err)
		}
		if again, err := schema.AppendPartitionKey(nil, components); err != nil || !bytes.Equal(again, key) {
			t.Errorf("%s: the key of %x is %x (%v), want %x", fields[0], components, again, err, key)
		}
		for i, name := range names {
			types[name] = true
			typ, err := schema.ParseType(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := typ.Validate(components[i]); err != nil {
				t.Errorf("%s %x: %v", name, components[i], err)
			}
		}
		if len(names) > 1 {
			several++
		}
		if slices.ContainsFunc(key[len(key)&^15:], func(b byte) bool { return b >= 0x80 }) {
			high++
		}
	}
	t.Logf("%d keys of %d types, %d of several columns, %d with a byte of 0x80 or above in the tail", keys, len(types), several, high)
	if keys != 10_000 || len(types) != 23 || several < 3000 || high < 5000 {
		t.Errorf("%d keys of %d types, %d of several columns, %d with a high byte in the tail: that shows too little", keys, len(types), several, high)
	}
}
