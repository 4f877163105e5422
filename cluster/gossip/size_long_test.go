//go:build long

package gossip

const scaleNodes, scaleDeaths = 1000, 20
