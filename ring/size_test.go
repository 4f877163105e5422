//go:build !long

package ring

const allocateSeeds, allocateNodes = 2, 24
