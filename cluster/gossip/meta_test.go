package gossip

import (
	"encoding/hex"
	"strings"
	"testing"
)

// The encoding that is drawn in the package documentation.
func TestMetaGolden(t *testing.T) {
	m := meta{boot: 0x0102030405060708, epoch: 0x1112131415161718, load: 0x2122232425262728}
	const want = "01" + "0807060504030201" + "1817161514131211" + "2827262524232221"
	if got := hex.EncodeToString(m.append(nil)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	b, _ := hex.DecodeString(want + "ff") // of a newer release
	if got, err := decodeMeta(b); got != m || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := decodeMeta(b[:24]); err == nil {
		t.Error("a short one")
	}
	b[0] = 2
	if _, err := decodeMeta(b); err == nil {
		t.Error("another version")
	}
}

func FuzzMeta(f *testing.F) {
	f.Add(meta{boot: 1, epoch: 2, load: 3}.append(nil))
	f.Add([]byte{metaVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMeta(b)
		if err != nil {
			return
		}
		if got := m.append(nil); string(got) != string(b[:metaSize]) {
			t.Fatalf("%x decoded and encoded is %x", b, got)
		}
	})
}

func TestName(t *testing.T) {
	host := [16]byte{0: 0xab, 15: 1}
	const name = "ab000000000000000000000000000001-42"
	if got := nameOf(host, 42); got != name {
		t.Errorf("%s, want %s", got, name)
	}
	if h, boot, err := parseName(name); h != host || boot != 42 || err != nil {
		t.Errorf("%x, %d, %v", h, boot, err)
	}
	for _, bad := range []string{
		"", "-", "ab-1", name + "x", name[:33], strings.ToUpper(name), "0" + name, name[:33] + "042", name[:33] + "+42",
		name[:33] + "18446744073709551616", name + strings.Repeat("0", 1<<16),
	} {
		if _, _, err := parseName(bad); err == nil || len(err.Error()) > 300 {
			t.Errorf("%.80q: %.400v", bad, err)
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add(nameOf([16]byte{1}, 2))
	f.Fuzz(func(t *testing.T, name string) {
		if host, boot, err := parseName(name); err == nil && nameOf(host, boot) != name {
			t.Fatalf("%q is another spelling", name)
		}
	})
}
