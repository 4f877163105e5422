//go:build long

package ring

const allocateSeeds, allocateNodes = 25, 96
