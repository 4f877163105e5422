package schema

import (
	"encoding/hex"
	"maps"
	"strconv"
	"strings"
)

// MaxTTL is the longest time to live in seconds, 20 years.
const MaxTTL = 20 * 365 * 24 * 60 * 60

// minBloomFPChance is the least false-positive chance Cassandra accepts.
const minBloomFPChance = 6.71e-5

// TableOptions are the properties of a table. All of Cassandra's are accepted,
// kept and given back; the engine reads those that mean something to it. The
// maps must not be changed once the options are shared.
type TableOptions struct {
	AdditionalWritePolicy string // canonical, see SpeculativeRetry
	AllowAutoSnapshot     bool
	BloomFilterFPChance   float64
	Caching               map[string]string
	CDC                   bool
	Comment               string
	Compaction            map[string]string // "class" is the full name
	Compression           map[string]string // {"enabled": "false"} when off
	CRCCheckChance        float64
	DefaultTTL            int32 // seconds, 0 is none
	Extensions            map[string][]byte
	GCGraceSeconds        int32
	IncrementalBackups    bool
	MaxIndexInterval      int32
	Memtable              string // name of a memtable configuration
	MemtableFlushPeriodMs int32
	MinIndexInterval      int32
	ReadRepair            string // BLOCKING or NONE
	SpeculativeRetry      string // NEVER, ALWAYS, 99p, 50ms, MIN(99p,50ms), MAX(..)
}

// DefaultOptions are the options of a table created without any.
func DefaultOptions() TableOptions {
	return TableOptions{
		AdditionalWritePolicy: "99p",
		AllowAutoSnapshot:     true,
		BloomFilterFPChance:   0.01,
		Caching:               map[string]string{"keys": "ALL", "rows_per_partition": "NONE"},
		Compaction: map[string]string{"class": compactionPackage + "SizeTieredCompactionStrategy",
			"max_threshold": "32", "min_threshold": "4"},
		Compression:        map[string]string{"class": compressPackage + "LZ4Compressor", "chunk_length_in_kb": "16"},
		CRCCheckChance:     1.0,
		Extensions:         map[string][]byte{},
		GCGraceSeconds:     864000,
		IncrementalBackups: true,
		MaxIndexInterval:   2048,
		Memtable:           "default",
		MinIndexInterval:   128,
		ReadRepair:         "BLOCKING",
		SpeculativeRetry:   "99p",
	}
}

// Property is one property of a statement as it was written: Map is non-nil
// for a map literal, else Value holds the constant's text without quotes.
type Property struct {
	Name  string
	Value string
	Map   map[string]string
}

// With returns the options changed by props, or an *Error. The property "id"
// is allowed and left to the caller.
func (o TableOptions) With(props []Property) (TableOptions, error) {
	if err := checkUnique(props); err != nil {
		return o, err
	}
	bloomSet := false
	for _, p := range props {
		name := strings.ToLower(p.Name)
		set := optionSetters[name]
		if set == nil {
			if name == "id" {
				continue
			}
			return o, syntax("Unknown property '%s'", p.Name)
		}
		bloomSet = bloomSet || name == "bloom_filter_fp_chance"
		if err := set(&o, p); err != nil {
			return o, err
		}
	}
	if strings.HasSuffix(o.Compaction["class"], ".LeveledCompactionStrategy") && !bloomSet && o.BloomFilterFPChance == 0.01 {
		o.BloomFilterFPChance = 0.1
	}
	return o, o.check()
}

func checkUnique(props []Property) error {
	seen := make(map[string]bool, len(props))
	for _, p := range props {
		name := strings.ToLower(p.Name)
		if seen[name] {
			return syntax("Multiple definitions for property '%s'", p.Name)
		}
		seen[name] = true
	}
	return nil
}

type optionSetter func(o *TableOptions, p Property) error

var optionSetters = map[string]optionSetter{
	"additional_write_policy":     setRetry(func(o *TableOptions) *string { return &o.AdditionalWritePolicy }),
	"allow_auto_snapshot":         setBool(func(o *TableOptions) *bool { return &o.AllowAutoSnapshot }),
	"bloom_filter_fp_chance":      setFloat(func(o *TableOptions) *float64 { return &o.BloomFilterFPChance }),
	"caching":                     setMap(func(o *TableOptions) *map[string]string { return &o.Caching }, parseCaching),
	"cdc":                         setBool(func(o *TableOptions) *bool { return &o.CDC }),
	"comment":                     setString(func(o *TableOptions) *string { return &o.Comment }),
	"compaction":                  setMap(func(o *TableOptions) *map[string]string { return &o.Compaction }, parseCompaction),
	"compression":                 setMap(func(o *TableOptions) *map[string]string { return &o.Compression }, parseCompression),
	"crc_check_chance":            setFloat(func(o *TableOptions) *float64 { return &o.CRCCheckChance }),
	"default_time_to_live":        setInt(func(o *TableOptions) *int32 { return &o.DefaultTTL }),
	"extensions":                  setExtensions,
	"gc_grace_seconds":            setInt(func(o *TableOptions) *int32 { return &o.GCGraceSeconds }),
	"incremental_backups":         setBool(func(o *TableOptions) *bool { return &o.IncrementalBackups }),
	"max_index_interval":          setInt(func(o *TableOptions) *int32 { return &o.MaxIndexInterval }),
	"memtable":                    setMemtable,
	"memtable_flush_period_in_ms": setInt(func(o *TableOptions) *int32 { return &o.MemtableFlushPeriodMs }),
	"min_index_interval":          setInt(func(o *TableOptions) *int32 { return &o.MinIndexInterval }),
	"read_repair":                 setReadRepair,
	"speculative_retry":           setRetry(func(o *TableOptions) *string { return &o.SpeculativeRetry }),
}

func (p Property) text() (string, error) {
	if p.Map != nil {
		return "", syntax("Invalid value for property '%s'. It should be a string", p.Name)
	}
	return p.Value, nil
}

func (p Property) mapValue() (map[string]string, error) {
	if p.Map == nil {
		return nil, syntax("Invalid value for property '%s'. It should be a map.", p.Name)
	}
	return p.Map, nil
}

// Bool reads a boolean property: true, 1 or yes in any case, or their
// opposites.
func (p Property) Bool() (bool, error) {
	s, err := p.text()
	if err != nil {
		return false, err
	}
	switch strings.ToLower(s) {
	case "true", "1", "yes":
		return true, nil
	case "false", "0", "no":
		return false, nil
	}
	return false, syntax("Invalid boolean value %s for '%s'. Positive values can be '1', 'true' or 'yes'. Negative values can be '0', 'false' or 'no'.", s, p.Name)
}

func setBool(field func(*TableOptions) *bool) optionSetter {
	return func(o *TableOptions, p Property) (err error) {
		*field(o), err = p.Bool()
		return err
	}
}

func setString(field func(*TableOptions) *string) optionSetter {
	return func(o *TableOptions, p Property) (err error) {
		*field(o), err = p.text()
		return err
	}
}

func setInt(field func(*TableOptions) *int32) optionSetter {
	return func(o *TableOptions, p Property) error {
		s, err := p.text()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return syntax("Invalid integer value %s for '%s'", s, p.Name)
		}
		*field(o) = int32(n)
		return nil
	}
}

func setFloat(field func(*TableOptions) *float64) optionSetter {
	return func(o *TableOptions, p Property) error {
		s, err := p.text()
		if err != nil {
			return err
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return syntax("Invalid double value %s for '%s'", s, p.Name)
		}
		*field(o) = f
		return nil
	}
}

func setRetry(field func(*TableOptions) *string) optionSetter {
	return func(o *TableOptions, p Property) error {
		s, err := p.text()
		if err != nil {
			return err
		}
		*field(o), err = parseRetry(s)
		return err
	}
}

func setMap(field func(*TableOptions) *map[string]string, parse func(map[string]string) (map[string]string, error)) optionSetter {
	return func(o *TableOptions, p Property) error {
		m, err := p.mapValue()
		if err != nil {
			return err
		}
		*field(o), err = parse(maps.Clone(m))
		return err
	}
}

// setExtensions takes map values as blob constants; what is not hexadecimal is
// kept as its text.
func setExtensions(o *TableOptions, p Property) error {
	m, err := p.mapValue()
	if err != nil {
		return err
	}
	o.Extensions = make(map[string][]byte, len(m))
	for k, v := range m {
		b := []byte(v)
		if h, ok := strings.CutPrefix(strings.ToLower(v), "0x"); ok {
			if raw, err := hex.DecodeString(h); err == nil {
				b = raw
			}
		}
		o.Extensions[k] = b
	}
	return nil
}

func setMemtable(o *TableOptions, p Property) error {
	s, err := p.text()
	if err != nil {
		return err
	}
	switch s {
	case "default", "skiplist", "trie", "skiplist_sharded":
		o.Memtable = s
		return nil
	}
	return config("Memtable configuration \"%s\" not found.", s)
}

func setReadRepair(o *TableOptions, p Property) error {
	s, err := p.text()
	if err != nil {
		return err
	}
	switch u := strings.ToUpper(s); u {
	case "BLOCKING", "NONE":
		o.ReadRepair = u
		return nil
	}
	return config("Invalid read_repair value '%s': only 'BLOCKING' and 'NONE' are allowed", s)
}

func (o *TableOptions) check() error {
	switch {
	case o.BloomFilterFPChance <= minBloomFPChance || o.BloomFilterFPChance > 1:
		return config("bloom_filter_fp_chance must be larger than 6.71E-5 and less than or equal to 1.0 (got %s)", JavaDouble(o.BloomFilterFPChance))
	case o.CRCCheckChance < 0 || o.CRCCheckChance > 1:
		return config("crc_check_chance must be larger than or equal to 0 and smaller than or equal to 1.0 (got %s)", JavaDouble(o.CRCCheckChance))
	case o.DefaultTTL < 0:
		return config("default_time_to_live must be greater than or equal to 0 (got %d)", o.DefaultTTL)
	case o.DefaultTTL > MaxTTL:
		return config("default_time_to_live must be less than or equal to %d (got %d)", MaxTTL, o.DefaultTTL)
	case o.GCGraceSeconds < 0:
		return config("gc_grace_seconds must be greater than or equal to 0 (got %d)", o.GCGraceSeconds)
	case o.MinIndexInterval < 1:
		return config("min_index_interval must be greater than or equal to 1 (got %d)", o.MinIndexInterval)
	case o.MaxIndexInterval < o.MinIndexInterval:
		return config("max_index_interval must be greater than or equal to min_index_interval (%d) (got %d)", o.MinIndexInterval, o.MaxIndexInterval)
	case o.MemtableFlushPeriodMs < 0:
		return config("memtable_flush_period_in_ms must be greater than or equal to 0 (got %d)", o.MemtableFlushPeriodMs)
	}
	return nil
}

// parseRetry brings a speculative retry policy into its canonical spelling.
func parseRetry(s string) (string, error) {
	u := strings.ToUpper(strings.TrimSpace(s))
	switch u {
	case "NEVER", "NONE":
		return "NEVER", nil
	case "ALWAYS":
		return "ALWAYS", nil
	}
	for _, fn := range []string{"MIN", "MAX"} {
		rest, ok := strings.CutPrefix(u, fn)
		rest = strings.TrimSpace(rest)
		if !ok || !strings.HasPrefix(rest, "(") || !strings.HasSuffix(rest, ")") {
			continue
		}
		return parseHybridRetry(s, fn, rest[1:len(rest)-1])
	}
	return parseSimpleRetry(s, u)
}

func parseHybridRetry(s, fn, args string) (string, error) {
	a, b, ok := strings.Cut(args, ",")
	if !ok || strings.Contains(b, ",") {
		return "", config("Invalid value %s for option 'speculative_retry'", s)
	}
	first, err := parseSimpleRetry(s, strings.TrimSpace(a))
	if err != nil {
		return "", err
	}
	second, err := parseSimpleRetry(s, strings.TrimSpace(b))
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(first, "ms") == strings.HasSuffix(second, "ms") {
		kind := "PERCENTILE"
		if strings.HasSuffix(first, "ms") {
			kind = "FIXED"
		}
		return "", config("Invalid value %s for option 'speculative_retry': MIN()/MAX() arguments should be of different types, but both are of type %s", s, kind)
	}
	return fn + "(" + first + "," + second + ")", nil
}

func parseSimpleRetry(s, u string) (string, error) {
	if ms, ok := strings.CutSuffix(u, "MS"); ok {
		f, err := strconv.ParseFloat(ms, 64)
		if err != nil || f < 0 || f > 1<<31-1 {
			return "", config("Invalid value %s for option 'speculative_retry'", s)
		}
		return strconv.Itoa(int(f)) + "ms", nil
	}
	for _, suffix := range []string{"PERCENTILE", "P"} {
		n, ok := strings.CutSuffix(u, suffix)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(n, 64)
		if err != nil {
			break
		}
		if f <= 0 || f > 100 {
			return "", config("Invalid value %s for PERCENTILE option 'speculative_retry': must be between (0.0 and 100.0)", s)
		}
		return trimFloat(strconv.FormatFloat(f, 'f', 4, 64)) + "p", nil
	}
	return "", config("Invalid value %s for option 'speculative_retry'", s)
}

func trimFloat(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
