package session

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/ilion-db/ilion/cql/native"
)

// ClientInfo is a row of system_views.clients.
type ClientInfo struct {
	ID       uint64
	Remote   netip.AddrPort
	Since    time.Time
	Stage    string // authenticating or ready
	Version  uint8
	User     string
	Keyspace string
	Driver   string
	// DriverVersion is as the driver tells it.
	DriverVersion string
	// Options are those of STARTUP, not to be changed.
	Options  map[string]string
	Requests uint64
	InFlight int64
	TLS      bool
}

// Clients lists the open connections in the order in which they came.
func (s *Server) Clients() []ClientInfo {
	conns := s.snapshot()
	slices.SortFunc(conns, func(a, b *Conn) int { return cmp.Compare(a.id, b.id) })
	infos := make([]ClientInfo, 0, len(conns))
	for _, c := range conns {
		options := c.Options()
		stage := "authenticating"
		if c.phase.Load() == phaseReady {
			stage = "ready"
		}
		infos = append(infos, ClientInfo{
			ID: c.id, Remote: c.remote, Since: c.since, Stage: stage, Version: c.Version(), User: c.User(),
			Keyspace: c.Keyspace(), Driver: options[native.OptionDriverName],
			DriverVersion: options[native.OptionDriverVersion], Options: options,
			Requests: c.requests.Load(), InFlight: c.inflight.Load(),
		})
	}
	return infos
}
