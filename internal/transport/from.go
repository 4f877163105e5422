package transport

import (
	"context"
	"net"
)

// From is the machine's network whose connections leave from the given
// address, so that a peer, and a filter between, sees who dials.
func From(ip net.IP) Transport { return from{local: &net.TCPAddr{IP: ip}} }

type from struct {
	tcp
	local *net.TCPAddr
}

func (f from) Dial(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: f.local}
	return d.DialContext(ctx, "tcp", address)
}
