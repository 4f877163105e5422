package compaction

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/ring"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestPick runs the cases of testdata: an input, a line of four dashes, and
// what comes out.
//
//	options k=v ...     of the table's compaction map
//	state k=v ...       now, gcbefore, grace, ttl, others, flush, owned
//	table k=v ...       id, size, first, last (64ths of the token space), min,
//	                    max (timestamps), drop, ttl, droppable, created,
//	                    repaired, pending, format, busy
//	pick | major
func TestPick(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, c := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
			in, want, _ := strings.Cut(c+"\n", "----\n")
			got := runCase(in)
			fmt.Fprintf(&out, "%s----\n%s\n\n", in, got)
			if strings.TrimSpace(got) != strings.TrimSpace(want) && !*rewrite {
				t.Errorf("%s:\n%sgot\n%s\nwant\n%s", file, in, got, want)
			}
		}
		if *rewrite {
			if err := os.WriteFile(file, []byte(strings.TrimSpace(out.String())+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func runCase(in string) string {
	s := State{OthersMinTimestamp: math.MaxInt64}
	var o Options
	out := ""
	for line := range strings.Lines(in) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		args := make(map[string]string)
		for _, w := range words[1:] {
			k, v, _ := strings.Cut(w, "=")
			args[k] = v
		}
		switch words[0] {
		case "options":
			var err error
			if o, err = ParseOptions(args); err != nil {
				return err.Error()
			}
		case "state":
			setState(&s, args)
		case "table":
			s.Tables = append(s.Tables, parseTable(args))
		case "pick":
			out += formatTasks(Pick(&o, &s), &s)
		case "major":
			out += formatTasks(Major(&o, &s), &s)
		default:
			return "unknown: " + line
		}
	}
	return strings.TrimSuffix(out, "\n")
}

func formatTasks(tasks []Task, s *State) string {
	out := ""
	for _, task := range tasks {
		out += fmt.Sprintf("%s %v level %d, shards %d, cuts %d\n", task.Kind, task.Tables, task.Level,
			task.Shards, len(ShardsOf(s, &task)))
	}
	if out == "" {
		return "nothing\n"
	}
	return out
}

func number(v string) int64 {
	scale := int64(1)
	for suffix, n := range map[string]int64{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "h": 3600 * 1e6} {
		if s, ok := strings.CutSuffix(v, suffix); ok {
			v, scale = s, n
		}
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		panic(err)
	}
	return n * scale
}

func setState(s *State, args map[string]string) {
	for k, v := range args {
		switch k {
		case "now":
			s.Now = uint32(number(v))
		case "gcbefore":
			s.GCBefore = uint32(number(v))
		case "grace":
			s.GraceBefore = uint32(number(v))
		case "ttl":
			s.DefaultTTL = uint32(number(v))
		case "others":
			s.OthersMinTimestamp = number(v)
		case "flush":
			s.FlushSize = number(v)
		case "owned":
			s.Owned, _ = strconv.ParseFloat(v, 64)
		default:
			panic(k)
		}
	}
}

func parseTable(args map[string]string) TableInfo {
	t := TableInfo{First: ring.TokenFromOrdered(1), Last: ring.TokenFromOrdered(math.MaxUint64)}
	for k, v := range args {
		switch k {
		case "id":
			t.ID = uint64(number(v))
		case "size":
			t.Size = number(v)
		case "first":
			t.First = ring.TokenFromOrdered(uint64(number(v)) << 58)
		case "last":
			t.Last = ring.TokenFromOrdered(uint64(number(v))<<58 - 1)
		case "min":
			t.MinTimestamp = number(v)
		case "max":
			t.MaxTimestamp = number(v)
		case "drop":
			t.MaxDrop, t.AllExpire = uint32(number(v)), true
		case "ttl":
			t.MinTTL, t.MaxTTL = uint32(number(v)), uint32(number(v))
		case "tombstones":
			t.Tombstones = true
		case "droppable":
			t.Droppable, _ = strconv.ParseFloat(v, 64)
		case "created":
			t.CreatedAt = uint32(number(v))
		case "repaired":
			t.Repaired = true
		case "pending":
			t.PendingRepair[0] = byte(number(v))
		case "format":
			t.FormatLevel = uint32(number(v))
		case "busy":
			t.Busy = true
		default:
			panic(k)
		}
	}
	return t
}

func TestCuts(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 6, 8, 1 << 16} {
		cuts := Cuts(n, ring.MinToken, math.MaxInt64)
		if len(cuts) != n-1 {
			t.Fatalf("%d cuts for %d shards", len(cuts), n)
		}
		for i, c := range cuts {
			want := float64(i+1) / float64(n) * math.Exp2(64)
			if got := float64(c.Ordered()); math.Abs(got-want) > 1e5 {
				t.Fatalf("cut %d of %d is %g, want %g", i, n, got, want)
			}
		}
	}
	if Cuts(2, ring.MinToken, math.MaxInt64)[0] != 0 || Cuts(4, 5, 6) != nil {
		t.Error("cuts of halves")
	}
}

func TestParseOptionsRefuses(t *testing.T) {
	for _, m := range []map[string]string{
		{"class": "NoSuchStrategy"},
		{"class": "UnifiedCompactionStrategy", "scaling_parameters": "T1"},
		{"class": "UnifiedCompactionStrategy", "scaling_parameters": "T4,,L2"},
		{"class": "UnifiedCompactionStrategy", "target_sstable_size": "much"},
		{"class": "UnifiedCompactionStrategy", "sstable_growth": "NaN"},
		{"class": "UnifiedCompactionStrategy", "base_shard_count": "0"},
		{"class": "TimeWindowCompactionStrategy", "compaction_window_unit": "YEARS"},
		{"class": "TimeWindowCompactionStrategy", "compaction_window_size": "0"},
		{"class": "LeveledCompactionStrategy", "fanout_size": "1"},
		{"enabled": "maybe"},
		{"tombstone_threshold": "-1"},
	} {
		if _, err := ParseOptions(m); err == nil {
			t.Errorf("%v is accepted", m)
		}
	}
}
