package virtual

import (
	"strconv"

	"github.com/ilion-db/ilion/schema"
)

// messagingVersion is what a node of ReleaseVersion shows for the version of
// its own protocol.
const messagingVersion = "13"

// gossip shows states under the names that they have in Cassandra's gossip.
func (r *Registry) gossip(*schema.Table) []Row {
	release := r.self().ReleaseVersion
	return rowsOf(r.src.Gossip, func(g Gossip) Row {
		row := Row{
			"address":                   inet(g.Address.Addr()),
			"port":                      port(g.Address),
			"hostname":                  text(g.Address.Addr().Unmap().String()),
			"dc":                        text(g.DC),
			"generation":                int32Value(g.Generation),
			"heartbeat":                 int32Value(g.Heartbeat),
			"host_id":                   text(g.HostID.String()),
			"internal_address_and_port": text(g.Address.String()),
			"net_version":               text(messagingVersion),
			"rack":                      text(g.Rack),
			"release_version":           text(release),
			"rpc_ready":                 text(strconv.FormatBool(g.Alive && g.Native.IsValid())),
			"schema":                    text(g.Schema.String()),
			"status":                    text(g.Status),
			"status_with_port":          text(g.Status),
		}
		if g.Native.IsValid() {
			row["native_address_and_port"] = text(g.Native.String())
			row["rpc_address"] = text(g.Native.Addr().String())
		}
		if g.Load >= 0 {
			row["load"] = text(strconv.FormatInt(g.Load, 10))
		}
		return row
	})
}

// upOrDown are the states of a node in the views.
func upOrDown(alive bool) string {
	if alive {
		return "UP"
	}
	return "DOWN"
}

func (r *Registry) pendingHints(*schema.Table) []Row {
	return rowsOf(r.src.PendingHints, func(h PendingHints) Row {
		return Row{
			"host_id":    uuid(h.HostID),
			"address":    inet(h.Node.Addr()),
			"port":       port(h.Node),
			"dc":         text(h.DC),
			"rack":       text(h.Rack),
			"status":     text(upOrDown(h.Alive)),
			"files":      int32Value(h.Files),
			"total_size": bigint(h.Bytes),
			"oldest":     bigint(h.Oldest),
		}
	})
}
