//go:build long

package engine

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/vfs"
)

// TestModelLong makes a million steps.
func TestModelLong(t *testing.T) {
	for seed := range uint64(1000) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runModel(t, 1000+seed, 1000) })
	}
}

func TestBigPartitionLong(t *testing.T) { bigPartition(t, 512<<20, 1<<30) }

func TestManyTombstonesLong(t *testing.T) { manyTombstones(t, 1_000_000) }

// cpuTime is what this process has used of all cores.
func cpuTime(t testing.TB) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// TestRestartLong replays a gigabyte of log, at the memory of a small node
// flushing on the way.
func TestRestartLong(t *testing.T) {
	for _, budget := range []int64{4 << 30, 1 << 30} {
		o := testOptions(t, vfs.OS, t.TempDir(), 1)
		o.SegmentSize, o.LogSize = 0, 4<<30
		fillLog(t, o, 1<<30)
		o.Budget = mem.NewBudget(budget)
		used, started := cpuTime(t), clock.Real.Mono()
		e := mustOpen(t, o)
		took := clock.Real.Mono() - started
		t.Logf("%d MiB: %d records in %v, %v of a core, %d flushes",
			budget>>20, e.Replayed().Records, took, cpuTime(t)-used, e.Stats().Flushes)
		if took > 6*time.Second {
			t.Errorf("%d MiB: a restart takes %v", budget>>20, took)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
