package peers

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/ilion-db/ilion/internal/encoding"
)

const (
	magic         = "ILIONPRS"
	formatVersion = 2
	headLen       = 16
	peerLen       = 56
	oldPeerLen    = 48 // of version 1, which has no instances

	// maxPeers bounds the file, and what is remembered.
	maxPeers = 1 << 16
	maxFile  = headLen + maxPeers*peerLen + 4
)

// Errors of Open.
var (
	// ErrCorrupt means that the file is not what was written.
	ErrCorrupt = errors.New("peers: corrupt")
	// ErrUnknownFeature means that a newer version wrote the file.
	ErrUnknownFeature = errors.New("peers: written by a newer version")
)

func appendPeers(dst []byte, all []Peer) []byte {
	start := len(dst)
	slices.SortFunc(all, func(a, b Peer) int { return slices.Compare(a.HostID[:], b.HostID[:]) })
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint16(dst, formatVersion)
	dst = binary.LittleEndian.AppendUint16(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(all)))
	for i := range all {
		dst = append(dst, all[i].HostID[:]...)
		dst = append(dst, all[i].DiskID[:]...)
		dst = binary.LittleEndian.AppendUint64(dst, all[i].BootCount)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(all[i].ClockMark))
		dst = binary.LittleEndian.AppendUint64(dst, all[i].Instance)
	}
	return binary.LittleEndian.AppendUint32(dst, encoding.CRC32C(dst[start:]))
}

func decodePeers(file string, p []byte) ([]Peer, error) {
	corrupt := func(offset int, what string) error {
		return fmt.Errorf("%w: %s at offset %d: %s; to start without what it remembers of other nodes' disks, remove it", ErrCorrupt, file, offset, what)
	}
	body := len(p) - 4
	if body < headLen || string(p[:8]) != magic {
		return nil, corrupt(0, "not a list of peers")
	}
	if encoding.CRC32C(p[:body]) != binary.LittleEndian.Uint32(p[body:]) {
		return nil, corrupt(body, "checksum")
	}
	version, features := binary.LittleEndian.Uint16(p[8:]), binary.LittleEndian.Uint16(p[10:])
	if version == 0 || version > formatVersion || features != 0 {
		return nil, fmt.Errorf("%w: %s has version %d and needs features %#x", ErrUnknownFeature, file, version, features)
	}
	size := peerLen
	if version == 1 {
		size = oldPeerLen
	}
	n := binary.LittleEndian.Uint32(p[12:])
	if n > maxPeers || int(n)*size != body-headLen {
		return nil, corrupt(12, fmt.Sprintf("%d peers in %d bytes", n, len(p)))
	}
	all := make([]Peer, n)
	for i := range all {
		b := p[headLen+i*size:]
		all[i] = Peer{HostID: [16]byte(b), DiskID: [16]byte(b[16:]),
			BootCount: binary.LittleEndian.Uint64(b[32:]), ClockMark: int64(binary.LittleEndian.Uint64(b[40:]))}
		if version > 1 {
			all[i].Instance = binary.LittleEndian.Uint64(b[48:])
		}
		if i > 0 && slices.Compare(all[i-1].HostID[:], all[i].HostID[:]) >= 0 {
			return nil, corrupt(headLen+i*size, "order of host ids")
		}
	}
	return all, nil
}
