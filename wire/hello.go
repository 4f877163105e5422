package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/ilion-db/ilion/internal/encoding"
)

// Hello is what each side of a connection says first: who it is.
type Hello struct {
	ClusterID   [16]byte // zero for who belongs to none yet
	ClusterName string
	Generation  uint16
	HostID      [16]byte // zero for clients
	DiskID      [16]byte // random, made with the data directory
	Instance    uint64   // random, made by each start of a process
	BootCount   uint64   // starts of that host
	ClockMark   int64    // the hybrid clock's durable mark, microseconds
	// Lowest and Highest are the format levels that the node can read and write.
	Lowest, Highest uint16
	Purpose         Purpose
	Lane            uint8 // of a peer's connection
	Features        Features
	Now             int64 // wall clock, microseconds, to measure skew
	Epoch           uint64
	Nonce           [32]byte // random, made for this connection
}

// Features are what a side can do beyond what it must. On the wire, never
// renumber.
type Features uint32

// FeatureLZ4 accepts bodies with FlagLZ4.
const FeatureLZ4 Features = 1 << 0

// Numbers of the fields of a hello. On the wire: only append, never renumber.
const (
	helloCluster = iota + 1
	helloName
	helloGeneration
	helloHost
	helloDisk
	helloInstance
	helloBoot
	helloMark
	helloLevels
	helloPurpose
	helloLane
	helloFeatures
	helloNow
	helloEpoch
	helloNonce
	helloLast = helloNonce
)

const maxClusterName = 256

// Append appends the encoded hello.
func (h *Hello) Append(dst []byte) []byte {
	field := func(n byte, size int) { dst = append(dst, n<<1, byte(size)) }
	field(helloCluster, 16)
	dst = append(dst, h.ClusterID[:]...)
	name := h.ClusterName[:min(len(h.ClusterName), maxClusterName)]
	dst = append(dst, helloName<<1)
	dst = encoding.AppendString(dst, name)
	field(helloGeneration, 2)
	dst = appendU16(dst, h.Generation)
	field(helloHost, 16)
	dst = append(dst, h.HostID[:]...)
	field(helloDisk, 16)
	dst = append(dst, h.DiskID[:]...)
	field(helloInstance, 8)
	dst = appendU64(dst, h.Instance)
	field(helloBoot, 8)
	dst = appendU64(dst, h.BootCount)
	field(helloMark, 8)
	dst = appendU64(dst, uint64(h.ClockMark))
	field(helloLevels, 4)
	dst = appendU16(appendU16(dst, h.Lowest), h.Highest)
	field(helloPurpose, 1)
	dst = append(dst, byte(h.Purpose))
	field(helloLane, 1)
	dst = append(dst, h.Lane)
	field(helloFeatures, 4)
	dst = appendU32(dst, uint32(h.Features))
	field(helloNow, 8)
	dst = appendU64(dst, uint64(h.Now))
	field(helloEpoch, 8)
	dst = appendU64(dst, h.Epoch)
	field(helloNonce, 32)
	return append(dst, h.Nonce[:]...)
}

// Decode decodes a hello. It copies what it keeps.
func (h *Hello) Decode(b []byte) error {
	*h = Hello{}
	r := encoding.NewReader(b)
	var seen uint32
	for r.Len() > 0 {
		tag := r.Uvarint()
		f := r.Bytes()
		if r.Err() != nil {
			break
		}
		switch n := tag >> 1; {
		case n >= 1 && n <= helloLast:
			if seen&(1<<n) != 0 || !h.set(int(n), f) {
				return corrupt("hello", "field %d of %d bytes", n, len(f))
			}
			seen |= 1 << n
		case tag&1 != 0:
			return fmt.Errorf("%w: field %d of a hello", ErrUnknownFeature, n)
		}
	}
	if err := finish(&r, "hello"); err != nil {
		return err
	}
	if want := uint32(1<<(helloLast+1) - 2); seen != want {
		return corrupt("hello", "fields %b are missing", want&^seen)
	}
	return nil
}

var helloSizes = [helloLast + 1]int{
	helloCluster: 16, helloName: -1, helloGeneration: 2, helloHost: 16, helloDisk: 16, helloInstance: 8,
	helloBoot: 8, helloMark: 8, helloLevels: 4, helloPurpose: 1, helloLane: 1, helloFeatures: 4,
	helloNow: 8, helloEpoch: 8, helloNonce: 32,
}

// set takes a field; false means that its size is wrong.
func (h *Hello) set(n int, f []byte) bool {
	if want := helloSizes[n]; want >= 0 && len(f) != want || len(f) > maxClusterName {
		return false
	}
	le := binary.LittleEndian
	switch n {
	case helloCluster:
		h.ClusterID = [16]byte(f)
	case helloName:
		h.ClusterName = string(f)
	case helloGeneration:
		h.Generation = le.Uint16(f)
	case helloHost:
		h.HostID = [16]byte(f)
	case helloDisk:
		h.DiskID = [16]byte(f)
	case helloInstance:
		h.Instance = le.Uint64(f)
	case helloBoot:
		h.BootCount = le.Uint64(f)
	case helloMark:
		h.ClockMark = int64(le.Uint64(f))
	case helloLevels:
		h.Lowest, h.Highest = le.Uint16(f), le.Uint16(f[2:])
	case helloPurpose:
		h.Purpose = Purpose(f[0])
	case helloLane:
		h.Lane = f[0]
	case helloFeatures:
		h.Features = Features(le.Uint32(f))
	case helloNow:
		h.Now = int64(le.Uint64(f))
	case helloEpoch:
		h.Epoch = le.Uint64(f)
	case helloNonce:
		h.Nonce = [32]byte(f)
	}
	return true
}

// Side is who proves the key.
type Side byte

// Sides of a connection.
const (
	Dialer   Side = 'D'
	Acceptor Side = 'A'
)

// Prove appends the proof that a side has the key: HMAC-SHA256 of its letter
// and both encoded hellos, each behind its length as u32.
func Prove(dst, key []byte, side Side, dialer, acceptor []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte{byte(side)})
	m.Write(appendU32(nil, uint32(len(dialer))))
	m.Write(dialer)
	m.Write(appendU32(nil, uint32(len(acceptor))))
	m.Write(acceptor)
	return m.Sum(dst)
}

// Proves tells whether proof is the side's, in constant time.
func Proves(proof, key []byte, side Side, dialer, acceptor []byte) bool {
	return hmac.Equal(proof, Prove(nil, key, side, dialer, acceptor))
}

// Compatible tells why two sides cannot talk, or nil. What needs memory of the
// other side, such as its disk, is not compared here.
func (h *Hello) Compatible(other *Hello) *Error {
	client := h.Purpose == PurposeClient || other.Purpose == PurposeClient
	joins := h.ClusterID == [16]byte{} || other.ClusterID == [16]byte{}
	switch {
	case other.Purpose < PurposePeer || other.Purpose > PurposeStream:
		return Errorf(CodeRefused, "a connection for %v is not known here: a newer version made it", other.Purpose)
	case other.Lowest > other.Highest || h.Lowest > other.Highest || h.Highest < other.Lowest:
		return Errorf(CodeRefused, "no common format level: here %d to %d, there %d to %d; upgrade the older node first",
			h.Lowest, h.Highest, other.Lowest, other.Highest)
	case client:
		return nil
	case h.ClusterName != other.ClusterName:
		return Errorf(CodeRefused, "here is cluster %q, there %q: the address belongs to another cluster; check --join and --cluster-name",
			h.ClusterName, other.ClusterName)
	case joins && other.Purpose != PurposeJoin:
		return Errorf(CodeRefused, "a node that is in no cluster yet can only ask to join: start it with --join")
	case joins:
	case h.ClusterID != other.ClusterID:
		return Errorf(CodeRefused, "here is cluster %x, there %x, both named %q: a node that ran alone cannot join another cluster; empty its data directory first",
			h.ClusterID, other.ClusterID, h.ClusterName)
	case h.Generation != other.Generation:
		e := Errorf(CodeRefused, "here is generation %d of the cluster, there %d: the cluster was recovered by force while one of them was away; rejoin the node of the lower generation",
			h.Generation, other.Generation)
		e.Epoch = uint64(min(h.Generation, other.Generation)) << 48 // who has to rejoin
		return e
	}
	switch {
	case h.HostID != other.HostID || h.HostID == [16]byte{}:
	case h.Instance == other.Instance:
		return Errorf(CodeRefused, "the address is the node's own")
	default:
		return Errorf(CodeRefused, "two live nodes have the host id %x: one runs on a copy of the other's data directory; stop one of them and empty its directory", h.HostID)
	}
	return nil
}
