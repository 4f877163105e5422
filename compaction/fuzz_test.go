package compaction

import (
	"errors"
	"testing"
)

// FuzzParseOptions reads options of any text: what is taken is within bounds
// that the pickers can work with.
func FuzzParseOptions(f *testing.F) {
	for _, class := range []string{"UnifiedCompactionStrategy", "SizeTieredCompactionStrategy", "LeveledCompactionStrategy", "TimeWindowCompactionStrategy"} {
		f.Add(class, "scaling_parameters", "T4, N, L8", "target_sstable_size", "100MiB")
		f.Add(class, "min_threshold", "4", "compaction_window_size", "1e300")
		f.Add(class, "base_shard_count", "4", "sstable_growth", "33%")
	}
	f.Fuzz(func(t *testing.T, class, k1, v1, k2, v2 string) {
		o, err := ParseOptions(map[string]string{"class": class, k1: v1, k2: v2})
		if err != nil {
			var e *OptionError
			if !errors.As(err, &e) || e.Name == "" {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if len(o.Scaling) == 0 || o.TargetSize <= 0 || o.MinSize < 0 || o.BaseShards <= 0 || o.MaxInputs < 2 || o.Growth < 0 || o.Growth > 1 {
			t.Fatalf("%s, %s: %q, %s: %q give %+v", class, k1, v1, k2, v2, o)
		}
		for level := range 3 {
			if o.fanout(level) < 2 || o.threshold(level) < 2 || o.threshold(level) > o.fanout(level) {
				t.Fatalf("level %d of %+v: fanout %d, threshold %d", level, o, o.fanout(level), o.threshold(level))
			}
		}
	})
}
