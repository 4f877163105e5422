package node

import (
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/ilion-db/ilion/internal/config"
)

// Banner writes what a person wants to know after a start; the last line says
// what to type next, where program is how this one is called.
func (n *Node) Banner(w io.Writer, program string) {
	c := &n.opts.Config
	host := n.identity.HostID
	fmt.Fprintf(w, "ilion %s\n", n.opts.Version)
	fmt.Fprintf(w, "data      %s, %s of memory, commit log %s\n", c.DataDir, config.FormatSize(c.Memory), c.CommitlogSync)
	fmt.Fprintf(w, "cluster   %s, %s, %s, host %s\n", c.ClusterName, c.DC, c.Rack, uuidText(host))
	switch others := len(n.meta.Members()) - 1; {
	case others > 1:
		fmt.Fprintf(w, "nodes     %s, with %d others\n", n.network.address, others)
	case others == 1:
		fmt.Fprintf(w, "nodes     %s, with 1 other\n", n.network.address)
	case n.identity.BootCount == 1:
		fmt.Fprintf(w, "nodes     %s, the first of a new cluster, for others to --join\n", n.network.address)
	default:
		fmt.Fprintf(w, "nodes     %s, for others to --join\n", n.network.address)
	}
	fmt.Fprintf(w, "http      http://%s/metrics, /healthz, /readyz\n", n.HTTPAddr())
	fmt.Fprintf(w, "cql       %s\n", n.CQLAddr())
	if r := n.engine.Replayed(); r.Records > 0 {
		fmt.Fprintf(w, "recovered %d writes from the commit log\n", r.Records)
	}
	fmt.Fprintf(w, "ready     after %d ms\n", (n.opts.Clock.Mono() - n.started).Round(time.Millisecond).Milliseconds())
	ip, port, _ := net.SplitHostPort(n.CQLAddr().String())
	fmt.Fprintf(w, "Now type: %s cql %s %s   (or cqlsh %s %s)\n", program, ip, port, ip, port)
}

func uuidText(u [16]byte) string {
	s := hex.EncodeToString(u[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
