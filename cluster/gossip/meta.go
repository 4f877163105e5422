package gossip

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Numbers of the format, see the package documentation. Append only.
const (
	metaVersion = 1
	metaSize    = 25
)

// meta is what a member says about itself.
type meta struct {
	boot, epoch, load uint64
}

// append appends the encoding.
func (m meta) append(dst []byte) []byte {
	dst = append(dst, metaVersion)
	dst = binary.LittleEndian.AppendUint64(dst, m.boot)
	dst = binary.LittleEndian.AppendUint64(dst, m.epoch)
	return binary.LittleEndian.AppendUint64(dst, m.load)
}

func decodeMeta(b []byte) (m meta, err error) {
	if len(b) < metaSize {
		return m, fmt.Errorf("gossip: meta of %d bytes, less than %d", len(b), metaSize)
	}
	if b[0] != metaVersion {
		return m, fmt.Errorf("gossip: meta of version %d", b[0])
	}
	m.boot = binary.LittleEndian.Uint64(b[1:])
	m.epoch = binary.LittleEndian.Uint64(b[9:])
	m.load = binary.LittleEndian.Uint64(b[17:])
	return m, nil
}

// nameOf is the name of a process: host id and boot count.
func nameOf(host [16]byte, boot uint64) string {
	return hex.EncodeToString(host[:]) + "-" + strconv.FormatUint(boot, 10)
}

// parseName is the inverse of nameOf and takes no other spelling.
func parseName(name string) (host [16]byte, boot uint64, err error) {
	id, count, ok := strings.Cut(name, "-")
	if ok && len(id) == 2*len(host) {
		if _, err = hex.Decode(host[:], []byte(id)); err == nil {
			boot, err = strconv.ParseUint(count, 10, 64)
		}
	}
	if !ok || err != nil || nameOf(host, boot) != name {
		return host, 0, fmt.Errorf("gossip: %.64q is no name of a member", name)
	}
	return host, boot, nil
}
