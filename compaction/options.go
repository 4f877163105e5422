package compaction

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Strategy is how files are picked.
type Strategy uint8

// Strategies.
const (
	Unified Strategy = iota
	TimeWindow
)

// Overlap says which files join those that overlap enough (UCS).
type Overlap uint8

// Ways of inclusion.
const (
	OverlapTransitive Overlap = iota
	OverlapSingle
	OverlapNone
)

// Defaults.
const (
	DefaultTargetSize = 128 << 20 // bytes of an output file
	DefaultMinSize    = 16 << 20
	DefaultBaseShards = 4
	DefaultGrowth     = 0.333
	DefaultScaling    = 2 // T4
	DefaultMaxInputs  = 32
	defaultThreshold  = 0.2
	defaultInterval   = 24 * 60 * 60
	maxShards         = 1 << 16
)

// Options are a table's compaction options. ParseOptions makes them.
type Options struct {
	Strategy Strategy
	Enabled  bool // false: no tasks but those that are asked for

	// UCS.
	Scaling    []int // w per level, the last repeats; never empty
	TargetSize int64 // bytes of an output file
	MinSize    int64 // bytes below which an output is not cut
	BaseShards int
	Growth     float64 // 0 to 1: part of the growth that goes into the size of files
	FlushSize  int64   // bytes, 0: State.FlushSize
	MaxInputs  int     // files of one task
	Overlap    Overlap

	// TWCS.
	Window                int64 // microseconds
	TimestampScale        int64 // microseconds of one unit of the timestamps
	MinFiles              int   // of similar size to merge in the newest window
	BucketLow, BucketHigh float64
	SmallFile             int64 // bytes; files below it are of similar size

	// Expiry and tombstones.
	UnsafeExpiration    bool    // drop expired files whatever they overlap
	TombstoneTasks      bool    // rewrite single files for their tombstones
	TombstoneThreshold  float64 // droppable part of a file from which on
	TombstoneInterval   uint32  // seconds since the file was made
	UncheckedTombstones bool    // even if others may hold what they shadow
	OnlyPurgeRepaired   bool    // others keep theirs: their tasks' GCBefore must be 0
}

// OptionError is a compaction option that cannot be read.
type OptionError struct{ Name, Value string }

// Error implements error.
func (e *OptionError) Error() string {
	return fmt.Sprintf("compaction: option %s cannot be %q", e.Name, e.Value)
}

// reader reads options and keeps the first error.
type reader struct {
	m   map[string]string
	err error
}

func (r *reader) bad(name string) {
	if r.err == nil {
		r.err = &OptionError{name, r.m[name]}
	}
}

func (r *reader) float(name string, def, least float64) float64 {
	v, ok := r.m[name]
	if !ok {
		return def
	}
	scale := 1.0
	if s, percent := strings.CutSuffix(v, "%"); percent {
		v, scale = s, 0.01
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	if err != nil || math.IsNaN(f) || f < least {
		r.bad(name)
		return def
	}
	return f * scale
}

func (r *reader) int(name string, def, least, most int64) int64 {
	v, ok := r.m[name]
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < least || n > most {
		r.bad(name)
		return def
	}
	return n
}

func (r *reader) bool(name string, def bool) bool {
	switch v, ok := r.m[name]; {
	case !ok:
		return def
	case strings.EqualFold(v, "true"):
		return true
	case strings.EqualFold(v, "false"):
		return false
	}
	r.bad(name)
	return def
}

var sizeUnits = []struct {
	suffix string
	scale  float64
}{
	{"PiB", 1 << 50}, {"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"PB", 1e15}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3}, {"B", 1},
}

// size reads "100MiB", "1 GiB" or bytes; "auto" is the default.
func (r *reader) size(name string, def int64) int64 {
	v, ok := r.m[name]
	if v = strings.TrimSpace(v); !ok || strings.EqualFold(v, "auto") {
		return def
	}
	scale := 1.0
	for _, u := range sizeUnits {
		if s, found := strings.CutSuffix(v, u.suffix); found {
			v, scale = strings.TrimSpace(s), u.scale
			break
		}
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || !(f >= 0) || f*scale > math.MaxInt64/4 {
		r.bad(name)
		return def
	}
	return int64(f * scale)
}

// ParseOptions reads a table's compaction map as the schema keeps it. Options
// that mean nothing here are ignored; the schema has checked their names.
func ParseOptions(m map[string]string) (Options, error) {
	r := &reader{m: m}
	o := Options{
		Enabled:             r.bool("enabled", true),
		Scaling:             []int{DefaultScaling},
		TargetSize:          DefaultTargetSize,
		MinSize:             DefaultMinSize,
		BaseShards:          DefaultBaseShards,
		Growth:              DefaultGrowth,
		MaxInputs:           DefaultMaxInputs,
		TombstoneTasks:      true,
		TombstoneThreshold:  r.float("tombstone_threshold", defaultThreshold, 0),
		TombstoneInterval:   uint32(r.int("tombstone_compaction_interval", defaultInterval, 0, math.MaxUint32)),
		UncheckedTombstones: r.bool("unchecked_tombstone_compaction", false),
		OnlyPurgeRepaired:   r.bool("only_purge_repaired_tombstones", false),
		UnsafeExpiration:    r.bool("unsafe_aggressive_sstable_expiration", false),
	}
	class := m["class"]
	switch class[strings.LastIndexByte(class, '.')+1:] {
	case "", "SizeTieredCompactionStrategy":
		// min_threshold files of one size are merged: tiers of that fanout.
		o.Scaling = []int{int(r.int("min_threshold", 4, 2, 1024)) - 2}
	case "LeveledCompactionStrategy":
		o.Scaling = []int{2 - int(r.int("fanout_size", 10, 2, 1024))}
		o.TargetSize = r.int("sstable_size_in_mb", DefaultTargetSize>>20, 1, 1<<20) << 20
	case "UnifiedCompactionStrategy":
		o.unified(r)
	case "TimeWindowCompactionStrategy":
		o.timeWindow(r)
	default:
		r.bad("class")
	}
	return o, r.err
}

func (o *Options) unified(r *reader) {
	if v, ok := r.m["scaling_parameters"]; ok {
		o.Scaling = o.Scaling[:0]
		for _, s := range strings.Split(v, ",") {
			w, ok := parseScaling(strings.TrimSpace(s))
			if !ok {
				r.bad("scaling_parameters")
			}
			o.Scaling = append(o.Scaling, w)
		}
	}
	o.TargetSize = max(r.size("target_sstable_size", o.TargetSize), 1<<20)
	o.MinSize = r.size("min_sstable_size", o.MinSize)
	o.FlushSize = r.size("flush_size_override", 0)
	o.BaseShards = int(r.int("base_shard_count", DefaultBaseShards, 1, maxShards))
	o.Growth = min(r.float("sstable_growth", DefaultGrowth, 0), 1)
	if n := r.int("max_sstables_to_compact", 0, math.MinInt64, math.MaxInt32); n >= 2 {
		o.MaxInputs = min(int(n), DefaultMaxInputs)
	}
	switch v := strings.ToUpper(r.m["overlap_inclusion_method"]); v {
	case "", "TRANSITIVE":
	case "SINGLE":
		o.Overlap = OverlapSingle
	case "NONE":
		o.Overlap = OverlapNone
	default:
		r.bad("overlap_inclusion_method")
	}
}

// parseScaling reads T4, L10, N or w.
func parseScaling(s string) (int, bool) {
	const most = 1 << 20
	if s == "N" {
		return 0, true
	}
	if s == "" {
		return 0, false
	}
	number := s
	if s[0] == 'T' || s[0] == 'L' {
		number = s[1:]
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < -most || n > most {
		return 0, false
	}
	switch s[0] {
	case 'T':
		return n - 2, n >= 2
	case 'L':
		return 2 - n, n >= 2
	}
	return n, true
}

var windowUnits = map[string]int64{
	"MINUTES": 60 * 1e6, "HOURS": 3600 * 1e6, "DAYS": 24 * 3600 * 1e6,
}

var stampUnits = map[string]int64{"SECONDS": 1e6, "MILLISECONDS": 1e3, "MICROSECONDS": 1}

func (o *Options) timeWindow(r *reader) {
	o.Strategy = TimeWindow
	name := func(option, def string) string {
		if v := r.m[option]; v != "" {
			return strings.ToUpper(v)
		}
		return def
	}
	unit, ok := windowUnits[name("compaction_window_unit", "DAYS")]
	if !ok {
		r.bad("compaction_window_unit")
		unit = windowUnits["DAYS"]
	}
	o.Window = unit * r.int("compaction_window_size", 1, 1, 100*365)
	if o.TimestampScale, ok = stampUnits[name("timestamp_resolution", "MICROSECONDS")]; !ok {
		r.bad("timestamp_resolution")
		o.TimestampScale = 1
	}
	o.MinFiles = int(r.int("min_threshold", 4, 2, 1024))
	o.MaxInputs = min(int(r.int("max_threshold", DefaultMaxInputs, 2, math.MaxInt32)), DefaultMaxInputs)
	o.BucketLow = r.float("bucket_low", 0.5, 0)
	o.BucketHigh = r.float("bucket_high", 1.5, 0)
	o.SmallFile = r.size("min_sstable_size", 50<<20)
	_, a := r.m["tombstone_threshold"]
	_, b := r.m["tombstone_compaction_interval"]
	o.TombstoneTasks = a || b || o.UncheckedTombstones
}

// w is the scaling parameter of a level.
func (o *Options) w(level int) int { return o.Scaling[min(level, len(o.Scaling)-1)] }

// fanout is by how much densities grow from the level to the next.
func (o *Options) fanout(level int) int {
	if w := o.w(level); w < 0 {
		return 2 - w
	}
	return 2 + o.w(level)
}

// threshold is how many files over one token are merged.
func (o *Options) threshold(level int) int { return 2 + max(o.w(level), 0) }
