package wire

import (
	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/ring"
)

// Topology answers OpTopology: the members and who holds what.
type Topology struct {
	Epoch     uint64
	Hosts     []Host
	Keyspaces []KeyspaceRanges
}

// Host is a member of the cluster.
type Host struct {
	ID       [16]byte
	Address  string // of this protocol, "ip:port"
	Native   string // of CQL, "ip:port"
	DC, Rack string
	Up       bool // as the node that answers sees it
	Tokens   []ring.Token
}

// KeyspaceRanges are the replicas of a keyspace's ranges, which ascend by their
// ends and cover the ring; the first one wraps around.
type KeyspaceRanges struct {
	Name   string
	Ranges []HostRange
}

// HostRange are the replicas of the tokens above the end before, up to End.
type HostRange struct {
	End   ring.Token
	Hosts []uint32 // positions in Topology.Hosts, in the strategy's order
}

const hostUp = 1

// Append appends the encoded body.
func (t *Topology) Append(dst []byte) []byte {
	dst = appendU64(dst, t.Epoch)
	dst = encoding.AppendUvarint(dst, uint64(len(t.Hosts)))
	for i := range t.Hosts {
		h := &t.Hosts[i]
		dst = append(dst, h.ID[:]...)
		for _, s := range [...]string{h.Address, h.Native, h.DC, h.Rack} {
			dst = encoding.AppendString(dst, s)
		}
		var flags byte
		if h.Up {
			flags |= hostUp
		}
		dst = append(dst, flags)
		dst = encoding.AppendUvarint(dst, uint64(len(h.Tokens)))
		for _, token := range h.Tokens {
			dst = appendU64(dst, uint64(token))
		}
	}
	dst = encoding.AppendUvarint(dst, uint64(len(t.Keyspaces)))
	for i := range t.Keyspaces {
		k := &t.Keyspaces[i]
		dst = encoding.AppendString(dst, k.Name)
		dst = encoding.AppendUvarint(dst, uint64(len(k.Ranges)))
		for _, g := range k.Ranges {
			dst = appendU64(dst, uint64(g.End))
			dst = encoding.AppendUvarint(dst, uint64(len(g.Hosts)))
			for _, h := range g.Hosts {
				dst = encoding.AppendUvarint(dst, uint64(h))
			}
		}
	}
	return dst
}

// Decode decodes a body. It copies what it keeps.
func (t *Topology) Decode(b []byte) error {
	r := encoding.NewReader(b)
	*t = Topology{Epoch: r.U64()}
	for range counted(&r, 16+4+1+1) {
		h := Host{ID: readID(&r), Address: r.String(), Native: r.String(), DC: r.String(), Rack: r.String()}
		flags := r.U8()
		if flags&^hostUp != 0 {
			return unknownFlags("host", flags)
		}
		h.Up = flags&hostUp != 0
		for range counted(&r, 8) {
			h.Tokens = append(h.Tokens, ring.Token(r.U64()))
		}
		t.Hosts = append(t.Hosts, h)
	}
	for range counted(&r, 2) {
		k := KeyspaceRanges{Name: r.String()}
		for range counted(&r, 9) {
			k.Ranges = append(k.Ranges, t.readRange(&r))
			if n := len(k.Ranges); n > 1 && k.Ranges[n-1].End <= k.Ranges[n-2].End {
				r.Fail(corrupt("topology", "ranges that do not ascend"))
			}
		}
		t.Keyspaces = append(t.Keyspaces, k)
	}
	return finish(&r, "topology")
}

func (t *Topology) readRange(r *encoding.Reader) HostRange {
	g := HostRange{End: ring.Token(r.U64())}
	for range counted(r, 1) {
		h := r.Uvarint()
		if h >= uint64(len(t.Hosts)) {
			r.Fail(corrupt("topology", "host %d of %d", h, len(t.Hosts)))
			break
		}
		g.Hosts = append(g.Hosts, uint32(h))
	}
	return g
}

// counted reads a count of things that take at least size bytes each; 0 after
// an error.
func counted(r *encoding.Reader, size int) int {
	n := r.Uvarint()
	if n > uint64(r.Len()/size) {
		r.Fail(encoding.ErrShort)
		return 0
	}
	return int(n)
}
