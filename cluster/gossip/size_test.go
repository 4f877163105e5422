//go:build !long

package gossip

const scaleNodes, scaleDeaths = 40, 4
