package native

import (
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// golden compares the dump of named byte strings with testdata/name.
func golden(t *testing.T, name string, parts []part) {
	t.Helper()
	var sb strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&sb, "# %s\n%s\n", p.name, hex.Dump(p.bytes))
	}
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(sb.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check(t, name, strings.Split(sb.String(), "\n"), strings.Split(string(want), "\n"))
}

type part struct {
	name  string
	bytes []byte
}

func response(version uint8, op Opcode, body []byte) []byte {
	b := append(BeginFrame(nil, Header{Version: version, Stream: 7, Opcode: op}), body...)
	EndFrame(b, 0)
	return b
}

func TestGoldenFrames(t *testing.T) {
	meta := NewMetadata(oneTable)
	var parts []part
	for _, v := range versions {
		add := func(name string, op Opcode, body []byte) {
			parts = append(parts, part{fmt.Sprintf("v%d %s", v, name), response(v, op, body)})
		}
		rows, at := AppendRowsHead(nil, v, &RowsHead{Metadata: meta, PagingState: []byte("p"), Changed: true})
		rows = AppendValue(AppendValue(rows, []byte{0, 0, 0, 1}), nil)
		SetRowCount(rows, at, 1)
		add("rows", OpResult, rows)
		add("prepared", OpResult, AppendPrepared(nil, v, &PreparedResult{Bind: meta, PartitionKey: []uint16{0}, Result: meta}))
		add("set keyspace", OpResult, AppendSetKeyspace(nil, "ks"))
		change := SchemaChange{Change: ChangeCreated, Target: TargetTable, Keyspace: "k", Name: "t"}
		add("schema change", OpResult, AppendSchemaChange(nil, v, &change))
		add("schema event", OpEvent, AppendEvent(nil, v, &Event{Kind: SchemaChangeEvents, Schema: change}))
		addr := netip.MustParseAddrPort("[::1]:9042")
		add("status event", OpEvent, AppendEvent(nil, v, &Event{Kind: StatusChange, Change: StatusDown, Addr: addr}))
		add("write timeout", OpError, AppendError(nil, v, WriteTimeout(Quorum, 1, 2, WriteCAS)))
		add("read failure", OpError, AppendError(nil, v, ReadFailure(One, 0, 1, false,
			[]FailureReason{{Addr: netip.MustParseAddr("10.0.0.1"), Code: 1}})))
		add("supported", OpSupported, AppendSupported(nil))
	}
	golden(t, "frames.hex", parts)
}

func TestGoldenSegments(t *testing.T) {
	small := response(V5, OpResult, AppendVoid(nil))
	large := response(V5, OpResult, AppendSetKeyspace(nil, strings.Repeat("k", 600)))
	golden(t, "segments.hex", []part{
		{"plain, two frames", AppendSegments(nil, append(append([]byte(nil), small...), small...), false)},
		{"header of LZ4, stored", AppendSegments(nil, small, true)},
		{"LZ4", AppendSegments(nil, large, true)},
	})
}
