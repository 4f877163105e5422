package transport

import (
	"context"
	"net"
)

// Transport makes connections between addresses of the form "ip:port".
type Transport interface {
	// Listen takes the address; port 0 takes any free one. An address in use is
	// an error that names it.
	Listen(address string) (net.Listener, error)
	// Dial connects to a listener, or fails when ctx ends.
	Dial(ctx context.Context, address string) (net.Conn, error)
}

// TCP is the machine's network.
var TCP Transport = tcp{}

type tcp struct{}

func (tcp) Listen(address string) (net.Listener, error) { return net.Listen("tcp", address) }

func (tcp) Dial(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}
