package admin

import (
	"fmt"
	"io"
	"strings"
)

// Info is the answer of `ilion info`.
type Info struct {
	HostID          string   `json:"id"`
	Version         string   `json:"version"`
	GossipActive    bool     `json:"gossip_active"`
	NativeActive    bool     `json:"native_transport_active"`
	Load            int64    `json:"load_bytes"`
	Generation      int64    `json:"generation"`
	UptimeSeconds   int64    `json:"uptime_seconds"`
	HeapUsed        int64    `json:"heap_used_bytes"`
	HeapLimit       int64    `json:"heap_limit_bytes"`
	OffHeap         int64    `json:"off_heap_bytes"`
	Datacenter      string   `json:"data_center"`
	Rack            string   `json:"rack"`
	CacheEntries    int64    `json:"block_cache_entries"`
	CacheSize       int64    `json:"block_cache_bytes"`
	CacheCapacity   int64    `json:"block_cache_capacity_bytes"`
	CacheHits       int64    `json:"block_cache_hits"`
	CacheRequests   int64    `json:"block_cache_requests"`
	Epoch           uint64   `json:"epoch"`
	ClockOffsetUsec int64    `json:"largest_clock_offset_microseconds"` // of a peer to this node
	Tokens          []string `json:"tokens"`
}

const mebibyte = 1 << 20

// WriteText writes the layout of `nodetool info`. With tokens set every token is
// a line, as with its flag -T.
func (i *Info) WriteText(w io.Writer, tokens bool) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-23s: "+format+"\n", append([]any{name}, args...)...)
	}
	line("ID", "%s", i.HostID)
	line("Gossip active", "%v", i.GossipActive)
	line("Native Transport active", "%v", i.NativeActive)
	line("Load", "%s", formatLoad(i.Load))
	line("Generation No", "%d", i.Generation)
	line("Uptime (seconds)", "%d", i.UptimeSeconds)
	line("Heap Memory (MB)", "%.2f / %.2f", float64(i.HeapUsed)/mebibyte, float64(i.HeapLimit)/mebibyte)
	line("Off Heap Memory (MB)", "%.2f", float64(i.OffHeap)/mebibyte)
	line("Data Center", "%s", i.Datacenter)
	line("Rack", "%s", i.Rack)
	rate := "NaN"
	if i.CacheRequests > 0 {
		rate = fmt.Sprintf("%.3f", float64(i.CacheHits)/float64(i.CacheRequests))
	}
	line("Chunk Cache", "entries %d, size %s, capacity %s, %d misses, %d requests, %s recent hit rate", i.CacheEntries, formatLoad(i.CacheSize),
		formatLoad(i.CacheCapacity), i.CacheRequests-i.CacheHits, i.CacheRequests, rate)
	line("Epoch", "%s", formatEpoch(i.Epoch))
	line("Clock offset (ms)", "%.3f", float64(i.ClockOffsetUsec)/1000)
	switch {
	case tokens:
		for _, t := range i.Tokens {
			line("Token", "%s", t)
		}
	case len(i.Tokens) == 1:
		line("Token", "%s", i.Tokens[0])
	default:
		line("Token", "(invoke with -T/--tokens to see all %d tokens)", len(i.Tokens))
	}
}

// formatEpoch parts the generation from the index.
func formatEpoch(e uint64) string {
	const indexBits = 48
	return strings.TrimSpace(fmt.Sprintf("%d.%d", e>>indexBits, e&(1<<indexBits-1)))
}
