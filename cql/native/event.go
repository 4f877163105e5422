package native

import "net/netip"

// Event is what the server pushes to clients that registered for its kind.
type Event struct {
	Kind EventKinds // exactly one
	// Change is NEW_NODE or REMOVED_NODE (TopologyChange), UP or DOWN
	// (StatusChange); not for schema changes.
	Change string
	// Addr is where the node that changed serves CQL.
	Addr netip.AddrPort
	// Schema is for SchemaChangeEvents.
	Schema SchemaChange
}

// Changes of an Event.
const (
	NewNode     = "NEW_NODE"
	RemovedNode = "REMOVED_NODE"
	StatusUp    = "UP"
	StatusDown  = "DOWN"
)

// AppendEvent appends the body of EVENT.
func AppendEvent(dst []byte, version uint8, e *Event) []byte {
	switch e.Kind {
	case SchemaChangeEvents:
		return e.Schema.append(AppendString(dst, "SCHEMA_CHANGE"), version)
	case TopologyChange:
		dst = AppendString(dst, "TOPOLOGY_CHANGE")
	default:
		dst = AppendString(dst, "STATUS_CHANGE")
	}
	return appendInet(AppendString(dst, e.Change), e.Addr)
}
