package admin

import (
	"fmt"
	"io"
	"strings"
)

// Status is the answer of `ilion status`.
type Status struct {
	Keyspace string `json:"keyspace,omitempty"`
	// Effective tells that Owns is about replicas and not about tokens alone.
	Effective   bool         `json:"effective_ownership"`
	Note        string       `json:"note,omitempty"`
	Datacenters []Datacenter `json:"datacenters"`
}

// Datacenter is a part of a Status.
type Datacenter struct {
	Name  string       `json:"name"`
	Nodes []NodeStatus `json:"nodes"`
}

// NodeStatus is a line of a Status.
type NodeStatus struct {
	Status  string  `json:"status"`
	State   string  `json:"state"`
	Address string  `json:"address"`
	Native  string  `json:"native_address"`
	Load    int64   `json:"load_bytes"` // negative if not known
	Tokens  int     `json:"tokens"`
	Owns    float64 `json:"owns"` // 1 is the whole ring
	HostID  string  `json:"host_id"`
	Rack    string  `json:"rack"`
}

// status is the Status of a view; keyspace may be empty.
func (v *View) status(keyspace string) (*Status, error) {
	owns, err := v.ownership(keyspace)
	if err != nil {
		return nil, err
	}
	s := &Status{Keyspace: keyspace, Effective: owns.effective, Note: owns.note}
	addresses := v.names()
	names, byDC := v.datacenters()
	for _, name := range names {
		dc := Datacenter{Name: name}
		for _, i := range byDC[name] {
			n := &v.Topology.Nodes[i]
			dc.Nodes = append(dc.Nodes, NodeStatus{
				Status: statusOf(n), State: stateNormal, Address: addresses[i], Native: n.Address, Load: v.load(i),
				Tokens: len(n.Tokens), Owns: owns.parts[i], HostID: n.HostID.String(), Rack: n.Rack,
			})
		}
		sortNodes(dc.Nodes)
		s.Datacenters = append(s.Datacenters, dc)
	}
	return s, nil
}

// WriteText writes the layout of `nodetool status`.
func (s *Status) WriteText(w io.Writer) {
	header := "Owns"
	if s.Effective {
		header = "Owns (effective)"
	}
	t := table{{"--", "Address", "Load", "Tokens", header, "Host ID", "Rack"}}
	for _, dc := range s.Datacenters {
		for _, n := range dc.Nodes {
			owns := "?"
			if s.Note == "" {
				owns = fmt.Sprintf("%.1f%%", 100*n.Owns)
			}
			t = append(t, []string{n.Status[:1] + n.State[:1], n.Address, formatLoad(n.Load), fmt.Sprint(n.Tokens), owns, n.HostID, n.Rack})
		}
	}
	// All data centres share the widths of the columns.
	lines := t.lines()
	at := 1
	for _, dc := range s.Datacenters {
		title := "Datacenter: " + dc.Name
		fmt.Fprintf(w, "%s\n%s\nStatus=Up/Down\n|/ State=Normal/Leaving/Joining/Moving\n%s\n", title, strings.Repeat("=", len(title)), lines[0])
		for range dc.Nodes {
			fmt.Fprintln(w, lines[at])
			at++
		}
	}
	fmt.Fprintln(w)
	if s.Note != "" {
		fmt.Fprintf(w, "Note: %s\n", s.Note)
	}
}
