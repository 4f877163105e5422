//go:build long

package engine

import (
	"fmt"
	"testing"
)

// TestModelLong makes a million steps.
func TestModelLong(t *testing.T) {
	for seed := range uint64(1000) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runModel(t, 1000+seed, 1000) })
	}
}

func TestBigPartitionLong(t *testing.T) { bigPartition(t, 512<<20, 1<<30) }

func TestManyTombstonesLong(t *testing.T) { manyTombstones(t, 1_000_000) }
