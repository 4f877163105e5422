// Package rpc carries messages of package wire between nodes: connections,
// multiplexed streams, lanes, limits and back-pressure.
package rpc
