//go:build !long

package gossip

const scaleNodes, scaleDeaths = 24, 3
