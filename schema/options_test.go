package schema

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

// The words are those of Cassandra 5.0.8.
func TestOptionWords(t *testing.T) {
	str := func(name, v string) []Property { return []Property{{Name: name, Value: v}} }
	mp := func(name string, kv ...string) []Property {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return []Property{{Name: name, Map: m}}
	}
	stcs := func(kv ...string) []Property {
		return mp("compaction", append([]string{"class", "SizeTieredCompactionStrategy"}, kv...)...)
	}
	twcs := func(kv ...string) []Property {
		return mp("compaction", append([]string{"class", "TimeWindowCompactionStrategy"}, kv...)...)
	}
	lz4 := func(kv ...string) []Property {
		return mp("compression", append([]string{"class", "LZ4Compressor"}, kv...)...)
	}
	for _, c := range []struct {
		props []Property
		kind  ErrorKind
		want  string
	}{
		{str("foo", "x"), ErrSyntax, "Unknown property 'foo'"},
		{mp("compaction", "class", "Foo"), ErrConfig, "Unable to find compaction strategy class 'org.apache.cassandra.db.compaction.Foo'"},
		{mp("compaction"), ErrConfig, "Missing sub-option 'class' for the 'compaction' option"},
		{str("compaction", "a"), ErrSyntax, "Invalid value for property 'compaction'. It should be a map."},
		{mp("comment", "a", "b"), ErrSyntax, "Invalid value for property 'comment'. It should be a string"},
		{append(str("comment", "a"), str("comment", "b")...), ErrSyntax, "Multiple definitions for property 'comment'"},
		{stcs("foo", "1"), ErrConfig, "Properties specified [foo] are not understood by SizeTieredCompactionStrategy"},
		{stcs("min_threshold", "1"), ErrConfig, "Min compaction threshold cannot be less than 2 (got 1)"},
		{stcs("min_threshold", "0"), ErrConfig, "Disabling compaction by setting compaction thresholds to 0 has been removed, set the compaction option 'enabled' to false instead."},
		{stcs("min_threshold", "40"), ErrConfig, "Min compaction threshold (got 40) cannot be greater than max compaction threshold (got 32)"},
		{stcs("bucket_low", "2"), ErrConfig, "bucket_high value (1.5) is less than or equal to the bucket_low value (2.0)"},
		{stcs("min_threshold", "x"), ErrConfig, "Invalid value x for 'min_threshold' compaction sub-option - must be an integer"},
		{stcs("tombstone_threshold", "x"), ErrConfig, "x is not a parsable int (base10) for tombstone_threshold"},
		{stcs("tombstone_threshold", "-1"), ErrConfig, "tombstone_threshold must be greater than 0, but was -1.000000"},
		{stcs("unchecked_tombstone_compaction", "x"), ErrConfig, "'unchecked_tombstone_compaction' should be either 'true' or 'false', not 'x'"},
		{mp("compaction", "class", "LeveledCompactionStrategy", "sstable_size_in_mb", "0"), ErrConfig, "sstable_size_in_mb must be larger than 0, but was 0"},
		{twcs("compaction_window_unit", "X"), ErrConfig, "X is not valid for compaction_window_unit"},
		{twcs("compaction_window_size", "0"), ErrConfig, "0 must be greater than 1 for compaction_window_size"},
		{mp("compaction", "class", "UnifiedCompactionStrategy", "scaling_parameters", "X4"), ErrConfig, "Scaling parameter X4 must match N|L[0-9]+|T[0-9]+|[+-]?[0-9]+"},
		{mp("compression", "class", "Foo"), ErrConfig, "Could not create Compression for type org.apache.cassandra.io.compress.Foo"},
		{lz4("enabled", "false"), ErrConfig, "If the 'enabled' option is set to false no other options must be specified"},
		{mp("compression", "chunk_length_in_kb", "16"), ErrConfig, "Missing sub-option 'class' for the 'compression' option."},
		{lz4("chunk_length_in_kb", "15"), ErrConfig, "chunk_length_in_kb must be a power of 2"},
		{lz4("chunk_length_in_kb", "x"), ErrConfig, "Invalid value for chunk_length_in_kb"},
		{lz4("chunk_length_in_kb", "0"), ErrConfig, "Invalid negative or null chunk_length_in_kb"},
		{lz4("foo", "0"), ErrConfig, "Unknown compression options foo"},
		{lz4("min_compress_ratio", "0.5"), ErrConfig, "min_compress_ratio can either be 0 or greater than or equal to 1"},
		{mp("caching", "keys", "x"), ErrConfig, "Invalid value 'x' for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed"},
		{mp("caching", "rows_per_partition", "x"), ErrConfig, "Invalid value 'x' for caching sub-option 'rows_per_partition': only 'ALL', 'NONE', and integer values are allowed"},
		{mp("caching", "foo", "x"), ErrConfig, "Invalid caching sub-options [foo]: only 'keys' and 'rows_per_partition' are allowed"},
		{str("bloom_filter_fp_chance", "0"), ErrConfig, "bloom_filter_fp_chance must be larger than 6.71E-5 and less than or equal to 1.0 (got 0.0)"},
		{str("bloom_filter_fp_chance", "x"), ErrSyntax, "Invalid double value x for 'bloom_filter_fp_chance'"},
		{str("gc_grace_seconds", "-1"), ErrConfig, "gc_grace_seconds must be greater than or equal to 0 (got -1)"},
		{str("gc_grace_seconds", "1.5"), ErrSyntax, "Invalid integer value 1.5 for 'gc_grace_seconds'"},
		{mp("gc_grace_seconds"), ErrSyntax, "Invalid value for property 'gc_grace_seconds'. It should be a string"},
		{str("default_time_to_live", "999999999"), ErrConfig, "default_time_to_live must be less than or equal to 630720000 (got 999999999)"},
		{str("cdc", "x"), ErrSyntax, "Invalid boolean value x for 'cdc'. Positive values can be '1', 'true' or 'yes'. Negative values can be '0', 'false' or 'no'."},
		{str("memtable", "x"), ErrConfig, `Memtable configuration "x" not found.`},
		{str("speculative_retry", "x"), ErrConfig, "Invalid value x for option 'speculative_retry'"},
		{str("speculative_retry", "101p"), ErrConfig, "Invalid value 101p for PERCENTILE option 'speculative_retry': must be between (0.0 and 100.0)"},
		{str("speculative_retry", "MIN(1ms,2ms)"), ErrConfig, "Invalid value MIN(1ms,2ms) for option 'speculative_retry': MIN()/MAX() arguments should be of different types, but both are of type FIXED"},
		{str("dclocal_read_repair_chance", "0.1"), ErrSyntax, "Unknown property 'dclocal_read_repair_chance'"},
		{str("min_index_interval", "0"), ErrConfig, "min_index_interval must be greater than or equal to 1 (got 0)"},
		{str("max_index_interval", "1"), ErrConfig, "max_index_interval must be greater than or equal to min_index_interval (128) (got 1)"},
	} {
		_, err := DefaultOptions().With(c.props)
		var e *Error
		if !errors.As(err, &e) || e.Message != c.want || e.Kind != c.kind {
			t.Errorf("%v: %v, want %s", c.props, err, c.want)
		}
	}
}

func TestOptionSpellings(t *testing.T) {
	for in, want := range map[string]string{"99.99PERCENTILE": "99.99p", "10.5ms": "10ms", "none": "NEVER", "Always": "ALWAYS", "max( 99P , 50MS )": "MAX(99p,50ms)"} {
		o, err := DefaultOptions().With([]Property{{Name: "Speculative_Retry", Value: in}})
		if err != nil || o.SpeculativeRetry != want {
			t.Errorf("%s: %s, %v", in, o.SpeculativeRetry, err)
		}
	}
	o, err := DefaultOptions().With([]Property{
		{Name: "compression", Map: map[string]string{"class": "ZstdCompressor", "chunk_length_in_kb": "64", "compression_level": "3"}},
		{Name: "compaction", Map: map[string]string{"class": "TimeWindowCompactionStrategy"}},
		{Name: "caching", Map: map[string]string{"keys": "none"}},
		{Name: "extensions", Map: map[string]string{"a": "0x01"}},
		{Name: "id", Value: "1f90f8d0-e5b2-11f1-81ec-9f249a9fa0d9"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.Compressor() != CompressZstd || o.ChunkLength() != 64<<10 || o.Compaction["class"] != compactionPackage+"TimeWindowCompactionStrategy" ||
		o.Compaction["min_threshold"] != "4" || o.Caching["keys"] != "NONE" || string(o.Extensions["a"]) != "\x01" {
		t.Errorf("%+v", o)
	}
	for _, m := range []map[string]string{{}, {"enabled": "false"}, {"class": ""}} {
		o, err := DefaultOptions().With([]Property{{Name: "compression", Map: m}})
		if err != nil || !maps.Equal(o.Compression, map[string]string{"enabled": "false"}) || o.Compressor() != CompressNone {
			t.Errorf("%v: %v, %v", m, o.Compression, err)
		}
	}
}

func TestReplication(t *testing.T) {
	dcs := []string{"dc1", "dc2"}
	for _, c := range []struct{ in, want string }{
		{"class SimpleStrategy replication_factor 1", "{'class': 'SimpleStrategy', 'replication_factor': '1'}"},
		{"class SimpleStrategy", "{'class': 'SimpleStrategy', 'replication_factor': '1'}"},
		{"class NetworkTopologyStrategy replication_factor 3", "{'class': 'NetworkTopologyStrategy', 'dc1': '3', 'dc2': '3'}"},
		{"class NetworkTopologyStrategy replication_factor 2 dc1 1", "{'class': 'NetworkTopologyStrategy', 'dc1': '1', 'dc2': '2'}"},
		{"class NetworkTopologyStrategy replication_factor 2 dc1 0", "{'class': 'NetworkTopologyStrategy', 'dc2': '2'}"},
		{"class NetworkTopologyStrategy", "{'class': 'NetworkTopologyStrategy', 'dc1': '1', 'dc2': '1'}"},
		{"class NetworkTopologyStrategy nodc 3", "Unrecognized strategy option {nodc} passed to NetworkTopologyStrategy for keyspace k"},
		{"class NetworkTopologyStrategy dc1 0", "Configuration for at least one datacenter must be present"},
		{"class NetworkTopologyStrategy dc1 a", `For input string: "a"`},
		{"class NetworkTopologyStrategy dc1 3/1", "Transient replication is not enabled on this node"},
		{"class SimpleStrategy replication_factor -1", "Replication factor must be non-negative, found -1"},
		{"class SimpleStrategy replication_factor 1 foo 2", "Unrecognized strategy option {foo} passed to SimpleStrategy for keyspace k"},
		{"class FooStrategy", "Unable to find replication strategy class 'org.apache.cassandra.locator.FooStrategy'"},
		{"class LocalStrategy", "Unable to use given strategy class: LocalStrategy is reserved for internal use."},
		{"replication_factor 1", "Missing replication strategy class"},
	} {
		m := map[string]string{}
		for f := strings.Fields(c.in); len(f) > 0; f = f[2:] {
			m[f[0]] = f[1]
		}
		ks, err := NewKeyspace("k", KeyspaceOptions{Replication: m}, dcs)
		got := errText(err)
		if err == nil {
			got = ks.replicationText()
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
	}
	ks, err := NewKeyspace("k", KeyspaceOptions{Replication: map[string]string{"class": "NetworkTopologyStrategy", "dc1": "3"}}, dcs)
	if err != nil {
		t.Fatal(err)
	}
	alt, err := ks.Altered(KeyspaceOptions{Replication: map[string]string{"class": "NetworkTopologyStrategy", "replication_factor": "1"}}, dcs)
	if err != nil || alt.Factor("dc1") != 3 || alt.Factor("dc2") != 1 || len(alt.Factors()) != 2 {
		t.Errorf("replication_factor changed what was there: %v, %v", alt.Replication, err)
	}
	if err := CheckKeyspaceName("K-8"); errText(err) != `Keyspace name must not be empty and must contain alphanumeric or underscore characters only (got "K-8")` {
		t.Error(err)
	}
}
