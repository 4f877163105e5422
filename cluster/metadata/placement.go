package metadata

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// appendPlacement appends who holds what: hosts once, then ranges by their ends.
func appendPlacement(dst []byte, p *ring.Placement) []byte {
	numbers := map[[16]byte]uint64{}
	var hosts [][16]byte
	for i := range p.Ranges {
		for _, h := range p.Ranges[i].Replicas {
			if _, known := numbers[h]; !known {
				numbers[h] = uint64(len(hosts))
				hosts = append(hosts, h)
			}
		}
	}
	dst = appendHosts(dst, hosts)
	dst = binary.AppendUvarint(dst, uint64(len(p.Ranges)))
	for i := range p.Ranges {
		r := &p.Ranges[i]
		dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Range.End))
		dst = binary.LittleEndian.AppendUint64(dst, r.Changed)
		dst = binary.AppendUvarint(dst, uint64(len(r.Replicas)))
		for _, h := range r.Replicas {
			dst = binary.AppendUvarint(dst, numbers[h])
		}
	}
	return dst
}

func appendHosts(dst []byte, hosts [][16]byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(hosts)))
	for _, h := range hosts {
		dst = append(dst, h[:]...)
	}
	return dst
}

func readHosts(r *encoding.Reader) [][16]byte {
	n := r.Uvarint()
	if n > uint64(r.Len()/16) {
		r.Fail(encoding.ErrShort)
		return nil
	}
	hosts := make([][16]byte, n)
	for i := range hosts {
		copy(hosts[i][:], r.Take(16))
	}
	return hosts
}

// minPlacedRange is the least that a range takes in bytes.
const minPlacedRange = 17

func readPlacement(r *encoding.Reader) (*ring.Placement, error) {
	hosts := readHosts(r)
	n := r.Uvarint()
	if n == 0 || n > uint64(r.Len()/minPlacedRange) {
		return nil, fmt.Errorf("%w: placement of %d ranges in %d bytes", ErrCorrupt, n, r.Len())
	}
	p := &ring.Placement{Ranges: make([]ring.PlacedRange, n)}
	named := map[[16]byte]int{} // the number of the range that named a host last
	for i := range p.Ranges {
		placed := &p.Ranges[i]
		placed.Range.End = ring.Token(r.U64())
		placed.Changed = r.U64()
		if i > 0 {
			placed.Range.Start = p.Ranges[i-1].Range.End
			if placed.Range.End <= placed.Range.Start {
				return nil, fmt.Errorf("%w: placement whose ranges do not ascend", ErrCorrupt)
			}
		}
		count := r.Uvarint()
		if count > uint64(len(hosts)) {
			return nil, fmt.Errorf("%w: placement with %d replicas of %d hosts", ErrCorrupt, count, len(hosts))
		}
		placed.Replicas = make([][16]byte, count)
		for j := range placed.Replicas {
			h := r.Uvarint()
			if h >= uint64(len(hosts)) {
				return nil, fmt.Errorf("%w: placement on host %d of %d", ErrCorrupt, h, len(hosts))
			}
			if named[hosts[h]] == i+1 {
				return nil, fmt.Errorf("%w: placement on host %d twice", ErrCorrupt, h)
			}
			named[hosts[h]] = i + 1
			placed.Replicas[j] = hosts[h]
		}
	}
	p.Ranges[0].Range.Start = p.Ranges[n-1].Range.End
	if r.Err() != nil {
		return nil, fmt.Errorf("%w: placement: %v", ErrCorrupt, r.Err())
	}
	return p, nil
}

// appendPlacements appends a field for each different placement, with the names
// of the keyspaces that have it: most keyspaces share one.
func appendPlacements(dst []byte, num uint64, placements map[string]*ring.Placement) []byte {
	var bodies [][]byte
	var names [][]string
	for _, name := range slices.Sorted(maps.Keys(placements)) {
		body := appendPlacement(nil, placements[name])
		i := slices.IndexFunc(bodies, func(b []byte) bool { return bytes.Equal(b, body) })
		if i < 0 {
			i = len(bodies)
			bodies, names = append(bodies, body), append(names, nil)
		}
		names[i] = append(names[i], name)
	}
	for i, body := range bodies {
		field := binary.AppendUvarint(nil, uint64(len(names[i])))
		for _, name := range names[i] {
			field = encoding.AppendString(field, name)
		}
		dst = appendField(dst, num, append(field, body...))
	}
	return dst
}

// readPlacements adds what one field of appendPlacements says.
func readPlacements(r *encoding.Reader, into map[string]*ring.Placement) error {
	n := r.Uvarint()
	if n > uint64(r.Len()) {
		return fmt.Errorf("%w: placement of %d keyspaces", ErrCorrupt, n)
	}
	var names []string
	for range n {
		names = append(names, r.String())
	}
	p, err := readPlacement(r)
	if err != nil {
		return err
	}
	if r.Len() != 0 {
		return fmt.Errorf("%w: placement with %d bytes after it", ErrCorrupt, r.Len())
	}
	for _, name := range names {
		into[name] = p
	}
	return nil
}

// changedAt is p with the epoch of the last change of owners of each range:
// that of before where they are the same for all of the range, else epoch.
func changedAt(p, before *ring.Placement, epoch uint64) *ring.Placement {
	n := &ring.Placement{Ranges: slices.Clone(p.Ranges)}
	for i := range n.Ranges {
		n.Ranges[i].Changed = lastChange(&n.Ranges[i], before, epoch)
	}
	return n
}

// lastChange walks the ranges of before that cover r.
func lastChange(r *ring.PlacedRange, before *ring.Placement, epoch uint64) (changed uint64) {
	if before == nil {
		return epoch
	}
	n := len(before.Ranges)
	first := sort.Search(n, func(i int) bool { return before.Ranges[i].Range.End > r.Range.Start })
	for k := range n {
		old := &before.Ranges[(first+k)%n]
		if !slices.Equal(old.Replicas, r.Replicas) {
			return epoch
		}
		changed = max(changed, old.Changed)
		if old.Range.End == r.Range.End || r.Range.Start != r.Range.End && !r.Range.Contains(old.Range.End) {
			break
		}
	}
	return changed
}

// soleOwner places everything on the only member there is: what a log says that
// was written before it named placements.
func soleOwner(m *Member) *ring.Placement {
	tokens := slices.Clone(m.Tokens)
	slices.Sort(tokens)
	if tokens = slices.Compact(tokens); len(tokens) == 0 {
		tokens = []ring.Token{0}
	}
	p := &ring.Placement{Ranges: make([]ring.PlacedRange, len(tokens))}
	start := tokens[len(tokens)-1]
	replicas := [][16]byte{m.HostID}
	for i, t := range tokens {
		p.Ranges[i] = ring.PlacedRange{Range: ring.Range{Start: start, End: t}, Replicas: replicas}
		start = t
	}
	return p
}

// place computes the placements of keyspaces over members, as a proposer does.
func place(members []Member, keyspaces ...*schema.Keyspace) (map[string]*ring.Placement, error) {
	nodes := make([]ring.Node, len(members))
	for i, m := range members {
		nodes[i] = ring.Node{HostID: m.HostID, DC: m.DC, Rack: m.Rack, Tokens: m.Tokens}
	}
	placements := map[string]*ring.Placement{}
	for _, ks := range keyspaces {
		s, err := ring.ParseStrategy(ks.Replication)
		if err != nil {
			return nil, fmt.Errorf("metadata: keyspace %s: %w", ks.Name, err)
		}
		if placements[ks.Name], err = ring.Place(nodes, s); err != nil {
			return nil, fmt.Errorf("metadata: keyspace %s: %w", ks.Name, err)
		}
	}
	return placements, nil
}
