package schema

import (
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

const (
	compactionPackage = "org.apache.cassandra.db.compaction."
	compressPackage   = "org.apache.cassandra.io.compress."
)

// parseCaching checks the caching map and fills in what is missing.
func parseCaching(m map[string]string) (map[string]string, error) {
	out := map[string]string{"keys": "ALL", "rows_per_partition": "NONE"}
	for _, k := range sortedKeys(m) {
		v := strings.ToUpper(m[k])
		switch strings.ToLower(k) {
		case "keys":
			if v != "ALL" && v != "NONE" {
				return nil, config("Invalid value '%s' for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed", m[k])
			}
			out["keys"] = v
		case "rows_per_partition":
			if _, err := strconv.ParseUint(v, 10, 31); err != nil && v != "ALL" && v != "NONE" {
				return nil, config("Invalid value '%s' for caching sub-option 'rows_per_partition': only 'ALL', 'NONE', and integer values are allowed", m[k])
			}
			out["rows_per_partition"] = v
		default:
			return nil, config("Invalid caching sub-options [%s]: only 'keys' and 'rows_per_partition' are allowed", k)
		}
	}
	return out, nil
}

type checkValue func(key, value string) error

var commonCompaction = map[string]checkValue{
	"enabled":                        checkAny,
	"log_all":                        checkBool,
	"only_purge_repaired_tombstones": checkBool,
	"provide_overlapping_tombstones": checkOverlapping,
	"tombstone_compaction_interval":  checkPositive,
	"tombstone_threshold":            checkRatio,
	"unchecked_tombstone_compaction": checkBool,
}

var sizeTieredCompaction = map[string]checkValue{
	"bucket_high":      checkRatio,
	"bucket_low":       checkRatio,
	"max_threshold":    checkThreshold,
	"min_sstable_size": checkNatural,
	"min_threshold":    checkThreshold,
}

var compactionClasses = map[string]map[string]checkValue{
	"SizeTieredCompactionStrategy": {},
	"LeveledCompactionStrategy": {
		"fanout_size": checkPositive, "single_sstable_uplevel": checkAny, "sstable_size_in_mb": checkPositive,
	},
	"TimeWindowCompactionStrategy": {
		"compaction_window_size": checkPositive, "compaction_window_unit": checkWindowUnit,
		"expired_sstable_check_frequency_seconds": checkNatural,
		"timestamp_resolution":                    checkTimeUnit,
		"unsafe_aggressive_sstable_expiration":    checkBool,
	},
	"UnifiedCompactionStrategy": {
		"base_shard_count": checkPositive, "expired_sstable_check_frequency_seconds": checkNatural,
		"flush_size_override": checkAny, "max_sstables_to_compact": checkInt, "min_sstable_size": checkAny,
		"overlap_inclusion_method": checkAny, "scaling_parameters": checkScaling, "sstable_growth": checkAny,
		"target_sstable_size": checkAny, "unsafe_aggressive_sstable_expiration": checkBool,
	},
}

// parseCompaction checks the compaction map and spells it as Cassandra shows
// it: full class name, thresholds filled in where the strategy has them.
func parseCompaction(m map[string]string) (map[string]string, error) {
	class, ok := m["class"]
	if !ok {
		return nil, config("Missing sub-option 'class' for the 'compaction' option")
	}
	full := class
	if !strings.Contains(class, ".") {
		full = compactionPackage + class
	}
	short := strings.TrimPrefix(full, compactionPackage)
	own, ok := compactionClasses[short]
	if !ok {
		return nil, config("Unable to find compaction strategy class '%s'", full)
	}
	m["class"] = full
	if short != "UnifiedCompactionStrategy" {
		for k, v := range map[string]string{"min_threshold": "4", "max_threshold": "32"} {
			if _, ok := m[k]; !ok {
				m[k] = v
			}
		}
	}
	var unknown []string
	for _, k := range sortedKeys(m) {
		check := own[k]
		if check == nil {
			check = commonCompaction[k]
		}
		if check == nil && short != "UnifiedCompactionStrategy" {
			check = sizeTieredCompaction[k]
		}
		if check == nil {
			if k != "class" {
				unknown = append(unknown, k)
			}
			continue
		}
		if err := check(k, m[k]); err != nil {
			return nil, err
		}
	}
	if len(unknown) > 0 {
		return nil, config("Properties specified [%s] are not understood by %s", strings.Join(unknown, ", "), short)
	}
	return m, checkThresholds(m)
}

func checkThresholds(m map[string]string) error {
	if _, ok := m["min_threshold"]; !ok {
		return nil
	}
	lo, _ := strconv.Atoi(m["min_threshold"])
	hi, _ := strconv.Atoi(m["max_threshold"])
	switch {
	case lo <= 0 || hi <= 0:
		return config("Disabling compaction by setting compaction thresholds to 0 has been removed, set the compaction option 'enabled' to false instead.")
	case lo == 1:
		return config("Min compaction threshold cannot be less than 2 (got %d)", lo)
	case lo > hi:
		return config("Min compaction threshold (got %d) cannot be greater than max compaction threshold (got %d)", lo, hi)
	}
	low, high := 0.5, 1.5
	if v, err := strconv.ParseFloat(m["bucket_low"], 64); err == nil {
		low = v
	}
	if v, err := strconv.ParseFloat(m["bucket_high"], 64); err == nil {
		high = v
	}
	if high <= low {
		return config("bucket_high value (%s) is less than or equal to the bucket_low value (%s)", JavaDouble(high), JavaDouble(low))
	}
	return nil
}

func checkAny(string, string) error { return nil }

func checkBool(k, v string) error {
	if !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
		return config("'%s' should be either 'true' or 'false', not '%s'", k, v)
	}
	return nil
}

func checkInt(k, v string) error {
	if _, err := strconv.ParseInt(v, 10, 32); err != nil {
		return config("%s is not a parsable int (base10) for %s", v, k)
	}
	return nil
}

func checkThreshold(k, v string) error {
	if _, err := strconv.ParseInt(v, 10, 32); err != nil {
		return config("Invalid value %s for '%s' compaction sub-option - must be an integer", v, k)
	}
	return nil
}

func checkPositive(k, v string) error {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return config("%s is not a parsable int (base10) for %s", v, k)
	}
	if n < 1 {
		switch k {
		case "sstable_size_in_mb", "fanout_size":
			return config("%s must be larger than 0, but was %d", k, n)
		case "compaction_window_size":
			return config("%d must be greater than 1 for %s", n, k)
		}
		return config("%s must be greater than 0, but was %d", k, n)
	}
	return nil
}

func checkNatural(k, v string) error {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return config("%s is not a parsable int (base10) for %s", v, k)
	}
	if n < 0 {
		return config("%s must be non negative: %d", k, n)
	}
	return nil
}

func checkRatio(k, v string) error {
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || math.IsNaN(f) {
		return config("%s is not a parsable int (base10) for %s", v, k)
	}
	if f < 0 || f == 0 && k == "tombstone_threshold" {
		return config("%s must be greater than 0, but was %f", k, f)
	}
	return nil
}

func checkOverlapping(_, v string) error {
	switch u := strings.ToUpper(v); u {
	case "NONE", "ROW", "CELL":
		return nil
	default:
		return config("Invalid value %s for 'provide_overlapping_tombstones' compaction sub-option - must be one of the following [NONE, ROW, CELL].", u)
	}
}

func checkWindowUnit(_, v string) error {
	switch v {
	case "MINUTES", "HOURS", "DAYS":
		return nil
	}
	return config("%s is not valid for compaction_window_unit", v)
}

func checkTimeUnit(_, v string) error {
	switch v {
	case "MICROSECONDS", "MILLISECONDS", "SECONDS", "NANOSECONDS", "MINUTES", "HOURS", "DAYS":
		return nil
	}
	return config("timestamp_resolution %s is not valid", v)
}

// checkScaling wants a comma-separated list of T<n>, L<n>, N or a number.
func checkScaling(_, v string) error {
	for part := range strings.SplitSeq(v, ",") {
		part = strings.ToUpper(strings.TrimSpace(part))
		if part == "N" {
			continue
		}
		n := part
		if part != "" && (part[0] == 'T' || part[0] == 'L') {
			n = part[1:]
		}
		i, err := strconv.ParseInt(n, 10, 16)
		if err != nil || n != part && i < 2 {
			return config("Scaling parameter %s must match N|L[0-9]+|T[0-9]+|[+-]?[0-9]+", part)
		}
	}
	return nil
}

// Compressor is what blocks of a table are compressed with.
type Compressor uint8

// Compressors. DeflateCompressor is accepted and shown, and compresses with
// zstd: nothing outside this node ever reads the blocks.
const (
	CompressNone Compressor = iota
	CompressLZ4
	CompressSnappy
	CompressZstd
)

type compressorClass struct {
	codec   Compressor
	options []string
}

var compressors = map[string]compressorClass{
	"LZ4Compressor":     {CompressLZ4, []string{"lz4_compressor_type", "lz4_high_compressor_level"}},
	"SnappyCompressor":  {CompressSnappy, nil},
	"ZstdCompressor":    {CompressZstd, []string{"compression_level"}},
	"DeflateCompressor": {CompressZstd, nil},
	"NoopCompressor":    {CompressNone, nil},
}

// Compressor tells what the table's compression option asks for.
func (o *TableOptions) Compressor() Compressor {
	return compressors[strings.TrimPrefix(o.Compression["class"], compressPackage)].codec
}

// ChunkLength is the uncompressed size of a compressed block in bytes that the
// option asks for, 0 without compression.
func (o *TableOptions) ChunkLength() int {
	n, _ := strconv.Atoi(o.Compression["chunk_length_in_kb"])
	return n << 10
}

// parseCompression checks the compression map and spells it as Cassandra shows
// it. An empty map turns compression off.
func parseCompression(m map[string]string) (map[string]string, error) {
	off := map[string]string{"enabled": "false"}
	if v, ok := m["enabled"]; ok {
		delete(m, "enabled")
		if !strings.EqualFold(v, "true") {
			if len(m) > 0 {
				return nil, config("If the 'enabled' option is set to false no other options must be specified")
			}
			return off, nil
		}
		if m["class"] == "" {
			return nil, config("Missing sub-option 'class' for the 'compression' option.")
		}
	}
	class, ok := m["class"]
	switch {
	case len(m) == 0 || ok && class == "" && len(m) == 1:
		return off, nil
	case !ok:
		return nil, config("Missing sub-option 'class' for the 'compression' option.")
	case class == "":
		return nil, config("Unknown compression options (%s) since no compression class found", sortedKeys(m))
	}
	return compressionOptions(m, class)
}

func compressionOptions(m map[string]string, class string) (map[string]string, error) {
	full := class
	if !strings.Contains(class, ".") {
		full = compressPackage + class
	}
	c, ok := compressors[strings.TrimPrefix(full, compressPackage)]
	if !ok {
		return nil, config("Could not create Compression for type %s", full)
	}
	m["class"] = full
	if _, ok := m["chunk_length_in_kb"]; !ok {
		m["chunk_length_in_kb"] = "16"
	}
	for _, k := range sortedKeys(m) {
		switch {
		case k == "class":
		case k == "chunk_length_in_kb":
			if err := checkChunkLength(m[k]); err != nil {
				return nil, err
			}
		case k == "min_compress_ratio":
			f, err := strconv.ParseFloat(m[k], 64)
			if err != nil {
				return nil, config("Invalid value for min_compress_ratio")
			}
			if f != 0 && f < 1 {
				return nil, config("min_compress_ratio can either be 0 or greater than or equal to 1")
			}
			if m[k] = JavaDouble(f); f == 0 {
				delete(m, k)
			}
		case !slices.Contains(c.options, k):
			return nil, config("Unknown compression options %s", k)
		}
	}
	return m, nil
}

func checkChunkLength(s string) error {
	n, err := strconv.ParseInt(s, 10, 32)
	switch {
	case err != nil:
		return config("Invalid value for chunk_length_in_kb")
	case n > math.MaxInt32/1024:
		return config("Value of chunk_length_in_kb is too large (%d)", n)
	case n <= 0:
		return config("Invalid negative or null chunk_length_in_kb")
	case bits.OnesCount64(uint64(n)) != 1:
		return config("chunk_length_in_kb must be a power of 2")
	}
	return nil
}
