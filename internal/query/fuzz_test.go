package query

import (
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"github.com/ilion-db/ilion/internal/encoding"
)

// FuzzSealedEntries reads files of prepared statements whose checksums are
// right.
func FuzzSealedEntries(f *testing.F) {
	f.Add(appendEntries(nil, someEntries))
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < len(storeMagic)+1+4 {
			return // shorter than what decodeEntries looks into
		}
		p = append([]byte(nil), p...)
		binary.LittleEndian.PutUint32(p[len(p)-4:], encoding.CRC32C(p[:len(p)-4]))
		entries, err := decodeEntries(p)
		if err != nil {
			if p[len(storeMagic)] == storeVersion && !errors.Is(err, ErrCorruptStore) {
				t.Fatal(err)
			}
			return
		}
		again, err := decodeEntries(appendEntries(nil, entries))
		if err != nil || !reflect.DeepEqual(again, entries) {
			t.Fatalf("%+v became %+v, %v", entries, again, err)
		}
	})
}
