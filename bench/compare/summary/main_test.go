package main

import (
	"strings"
	"testing"
)

const lines = `{"phase":"write","ops":1000,"ops_per_s":50,"rows":1000,"server_cpu_s":2,"latency_us":{"all":{"p50":1,"p99":10,"p999":20}},"config":{"note":"ilion periodic round 1"},"longest_gap_ms":10}
{"note":"ilion periodic round 1","settle_after":"write","cpu_seconds":2}
{"phase":"write","ops":1000,"ops_per_s":50,"rows":1000,"server_cpu_s":4,"latency_us":{"all":{"p50":1,"p99":10,"p999":20}},"config":{"note":"ilion periodic round 2"},"longest_gap_ms":30}
{"phase":"write","ops":600,"ops_per_s":30,"rows":600,"server_cpu_s":4,"errors":3,"latency_us":{"all":{"p50":1,"p99":40,"p999":20}},"config":{"note":"cassandra periodic round 1"},"longest_gap_ms":80}
{"note":"cassandra periodic round 1","settle_after":"write","cpu_seconds":2}
{"phase":"write","ops":10,"rows":10,"server_cpu_s":1,"latency_us":{"all":{"p50":1,"p99":10,"p999":20}},"config":{"note":"ilion periodic round 1","rate":8000}}
{"note":"floor round 1","frames_of":"write","frames_per_read":24.8}
`

func TestSummary(t *testing.T) {
	r := &results{runs: map[[2]string][]*line{}}
	if err := r.read(strings.NewReader(lines)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	r.print(&out)
	for _, want := range []string{
		"write            ilion periodic          2        50          375          250          250",
		"write            cassandra periodic      1        30          150          100          100",
		"write            ilion periodic / cassandra periodic: 2.50 per CPU second, 2.50 settled, p99 0.25, gap 0.25",
		"write at 8000/s  ilion periodic          1 ",
		"cassandra periodic round 1, write: 3 errors, 0 requests were due but not sent",
		"floor, write: 24.8 frames in a read(2)",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no line %q in\n%s", want, out.String())
		}
	}
}
