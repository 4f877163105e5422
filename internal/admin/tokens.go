package admin

import (
	"fmt"
	"io"
)

// Ring is the answer of `ilion ring`.
type Ring struct {
	Keyspace    string           `json:"keyspace,omitempty"`
	Note        string           `json:"note,omitempty"`
	Datacenters []RingDatacenter `json:"datacenters"`
}

// RingDatacenter is a part of a Ring.
type RingDatacenter struct {
	Name   string      `json:"name"`
	Tokens []RingToken `json:"tokens"` // ascending
}

// RingToken is a line of a Ring.
type RingToken struct {
	Address string  `json:"address"`
	Rack    string  `json:"rack"`
	Status  string  `json:"status"`
	State   string  `json:"state"`
	Load    int64   `json:"load_bytes"`
	Owns    float64 `json:"owns"`
	Token   string  `json:"token"`
}

// ring is the Ring of a view; keyspace may be empty.
func (v *View) ring(keyspace string) (*Ring, error) {
	owns, err := v.ownership(keyspace)
	if err != nil {
		return nil, err
	}
	r := &Ring{Keyspace: keyspace, Note: owns.note}
	addresses := v.names()
	names, _ := v.datacenters()
	tokens := v.sorted()
	for _, name := range names {
		dc := RingDatacenter{Name: name}
		for _, t := range tokens {
			n := &v.Topology.Nodes[t.node]
			if n.DC == name {
				dc.Tokens = append(dc.Tokens, RingToken{
					Address: addresses[t.node], Rack: n.Rack, Status: statusOf(n), State: stateNormal, Load: v.load(t.node),
					Owns: owns.parts[t.node], Token: fmt.Sprint(int64(t.token)),
				})
			}
		}
		r.Datacenters = append(r.Datacenters, dc)
	}
	return r, nil
}

// WriteText writes the layout of `nodetool ring`.
func (r *Ring) WriteText(w io.Writer) {
	width := len("Address")
	for _, dc := range r.Datacenters {
		for _, t := range dc.Tokens {
			width = max(width, len(t.Address))
		}
	}
	line := func(address, rack, status, state, load, owns, token string) {
		fmt.Fprintf(w, "%-*s  %-12s%-7s%-8s%-16s%-20s%-44s\n", width, address, rack, status, state, load, owns, token)
	}
	for _, dc := range r.Datacenters {
		fmt.Fprintf(w, "\nDatacenter: %s\n==========\n", dc.Name)
		line("Address", "Rack", "Status", "State", "Load", "Owns", "Token")
		if n := len(dc.Tokens); n > 1 {
			line("", "", "", "", "", "", dc.Tokens[n-1].Token)
		} else {
			fmt.Fprintln(w)
		}
		for _, t := range dc.Tokens {
			line(t.Address, t.Rack, t.Status, t.State, formatLoad(t.Load), fmt.Sprintf("%.2f%%", 100*t.Owns), t.Token)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "  Warning: \"ilion ring\" is used to output all the tokens of a node.\n"+
		"  To view status related info of a node use \"ilion status\" instead.\n\n")
	if r.Note != "" {
		fmt.Fprintf(w, "  Note: %s\n", r.Note)
	}
}
