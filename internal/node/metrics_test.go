package node_test

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/ilion-db/ilion/internal/godriver"
	"github.com/ilion-db/ilion/internal/vfs"
)

// TestMetrics wants every family that an operator is promised, and those that
// the test has given a reason to count, above 0.
func TestMetrics(t *testing.T) {
	r := start(t, options(vfs.NewMem(), "/data"))
	fill(t, r, 20)
	s := r.connect()
	defer godriver.Close(s)
	if err := s.Query("SELECT * FROM ks.nothing").Exec(); err == nil {
		t.Fatal("a table that is not there was read")
	}
	verify(t, r, 20)
	_, body := r.get("/metrics")
	for _, c := range []struct {
		name  string
		above bool // 0
	}{
		{`ilion_cql_request_latency_seconds_count{kind="query"}`, true},
		{`ilion_cql_request_latency_seconds_count{kind="execute"}`, true},
		{`ilion_cql_request_latency_seconds_count{kind="prepare"}`, true},
		{`ilion_cql_request_latency_seconds_count{kind="batch"}`, false},
		{`ilion_cql_errors_total{code="0x2200"}`, true},
		{`ilion_cql_errors_total{code="0x1001"}`, false},
		{`ilion_cql_connections`, true},
		{`ilion_cql_connections_accepted_total`, true},
		{`ilion_cql_connections_refused_total`, false},
		{`ilion_cql_prepared_bytes`, true},
		{`ilion_memtable_bytes`, true},
		{`ilion_commitlog_bytes`, true},
		{`ilion_commitlog_records_total`, true},
		{`ilion_commitlog_written_bytes_total`, true},
		{`ilion_commitlog_sync_seconds_count`, true},
		{`ilion_flushes_total`, false},
		{`ilion_flush_nanoseconds_total`, false},
		{`ilion_compactions_total`, false},
		{`ilion_compaction_read_bytes_total`, false},
		{`ilion_compaction_written_bytes_total`, false},
		{`ilion_table_files`, false},
		{`ilion_table_file_bytes`, false},
		{`ilion_disk_full`, false},
		{`ilion_cache_hits_total`, false},
		{`ilion_cache_misses_total`, false},
		{`ilion_cache_bytes`, false},
		{`ilion_memory_used_bytes{share="memtable"}`, true},
		{`ilion_memory_used_bytes{share="cache"}`, false},
		{`ilion_memory_used_bytes{share="metadata"}`, false},
		{`ilion_memory_used_bytes{share="in_flight"}`, false},
		{`ilion_memory_used_bytes{share="heap"}`, true},
		{`ilion_memory_limit_bytes{share="memtable"}`, true},
		{`ilion_memory_limit_bytes{share="heap"}`, true},
		{`process_resident_memory_bytes`, true},
		{`go_goroutines`, true},
	} {
		m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(c.name) + ` (\S+)$`).FindStringSubmatch(body)
		if m == nil {
			t.Errorf("%s is not shown", c.name)
			continue
		}
		if v, err := strconv.ParseFloat(m[1], 64); err != nil || c.above && v <= 0 {
			t.Errorf("%s is %s", c.name, m[1])
		}
	}
}
