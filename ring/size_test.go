//go:build !long

package ring

const allocateSeeds, allocateNodes = 4, 24
