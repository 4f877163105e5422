//go:build long

package ring

const allocateSeeds, allocateNodes = 100, 96
