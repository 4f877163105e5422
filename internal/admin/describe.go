package admin

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Description is the answer of `ilion describecluster`.
type Description struct {
	Name           string             `json:"name"`
	Snitch         string             `json:"snitch"`
	Partitioner    string             `json:"partitioner"`
	Epoch          uint64             `json:"epoch"`
	SchemaVersions []SchemaVersion    `json:"schema_versions"`
	Live           int                `json:"live"`
	Unreachable    int                `json:"unreachable"`
	Datacenters    []DatacenterCount  `json:"datacenters"`
	Keyspaces      []KeyspaceReplicas `json:"keyspaces"`
}

// SchemaVersion is a version with the nodes that have it.
type SchemaVersion struct {
	Version string   `json:"version"` // "UNREACHABLE" for nodes that are down
	Nodes   []string `json:"nodes"`
}

// DatacenterCount counts the nodes of a data centre.
type DatacenterCount struct {
	Name  string `json:"name"`
	Nodes int    `json:"nodes"`
	Down  int    `json:"down"`
}

// KeyspaceReplicas is a keyspace with its replication.
type KeyspaceReplicas struct {
	Name        string            `json:"name"`
	Replication map[string]string `json:"replication"`
}

// Names that Cassandra's tools show.
const (
	snitch      = "org.apache.cassandra.locator.GossipingPropertyFileSnitch"
	partitioner = "org.apache.cassandra.dht.Murmur3Partitioner"
	unreachable = "UNREACHABLE"
)

func (v *View) describe() *Description {
	d := &Description{Name: v.ClusterName, Snitch: snitch, Partitioner: partitioner, Epoch: v.Topology.Epoch}
	addresses := v.names()
	versions := map[string][]string{}
	names, byDC := v.datacenters()
	for _, name := range names {
		count := DatacenterCount{Name: name}
		for _, i := range byDC[name] {
			count.Nodes++
			version := unreachable
			if v.Topology.Nodes[i].Up {
				d.Live++
				version = v.schemaVersion(i).String()
			} else {
				count.Down++
			}
			versions[version] = append(versions[version], addresses[i])
		}
		d.Unreachable += count.Down
		d.Datacenters = append(d.Datacenters, count)
	}
	for _, version := range slices.Sorted(maps.Keys(versions)) {
		nodes := versions[version]
		slices.SortFunc(nodes, compareAddresses)
		d.SchemaVersions = append(d.SchemaVersions, SchemaVersion{version, nodes})
	}
	for _, name := range slices.Sorted(maps.Keys(v.Schema.Keyspaces)) {
		d.Keyspaces = append(d.Keyspaces, KeyspaceReplicas{name, v.Schema.Keyspace(name).Replication})
	}
	return d
}

// schemaVersion is what node i has said last, this node's if it has said none.
func (v *View) schemaVersion(i int) schema.UUID {
	if i < len(v.Members) && v.Members[i].SchemaVersion != (schema.UUID{}) {
		return v.Members[i].SchemaVersion
	}
	return v.Schema.Version
}

// WriteText writes the layout of `nodetool describecluster`.
func (d *Description) WriteText(w io.Writer) {
	fmt.Fprintf(w, "Cluster Information:\n\tName: %s\n\tSnitch: %s\n\tDynamicEndPointSnitch: enabled\n\tPartitioner: %s\n\tSchema versions:\n",
		d.Name, d.Snitch, d.Partitioner)
	for _, s := range d.SchemaVersions {
		fmt.Fprintf(w, "\t\t%s: [%s]\n\n", s.Version, strings.Join(s.Nodes, ", "))
	}
	fmt.Fprintf(w, "Stats for all nodes:\n\tLive: %d\n\tJoining: 0\n\tMoving: 0\n\tLeaving: 0\n\tUnreachable: %d\n\nData Centers: \n", d.Live, d.Unreachable)
	for _, dc := range d.Datacenters {
		fmt.Fprintf(w, "\t%s #Nodes: %d #Down: %d\n", dc.Name, dc.Nodes, dc.Down)
	}
	fmt.Fprint(w, "\nKeyspaces:\n")
	for _, ks := range d.Keyspaces {
		options := maps.Clone(ks.Replication)
		class := options["class"]
		delete(options, "class")
		pairs := make([]string, 0, len(options))
		for _, k := range slices.Sorted(maps.Keys(options)) {
			pairs = append(pairs, k+"="+options[k])
		}
		fmt.Fprintf(w, "\t%s -> Replication class: %s {%s}\n", ks.Name, class[strings.LastIndexByte(class, '.')+1:], strings.Join(pairs, ", "))
	}
}

// Endpoints is the answer of `ilion getendpoints`.
type Endpoints struct {
	Keyspace string   `json:"keyspace"`
	Table    string   `json:"table"`
	Key      string   `json:"key"`
	Token    string   `json:"token"`
	Nodes    []string `json:"endpoints"`
}

// endpoints names the replicas of a partition key, whose components are parted
// by colons as in nodetool.
func (v *View) endpoints(keyspace, name, key string) (*Endpoints, error) {
	ks := v.Schema.Keyspace(keyspace)
	if ks == nil {
		return nil, fmt.Errorf("the keyspace %s does not exist", keyspace)
	}
	t := ks.Tables[name]
	if t == nil {
		return nil, fmt.Errorf("the table %s.%s does not exist", keyspace, name)
	}
	parts := []string{key}
	if len(t.PartitionKey) > 1 {
		parts = strings.Split(key, ":")
	}
	if len(parts) != len(t.PartitionKey) {
		return nil, fmt.Errorf("the partition key of %s.%s has %d components, parted by colons, not %d", keyspace, name, len(t.PartitionKey), len(parts))
	}
	values := make([][]byte, len(parts))
	for i, c := range t.PartitionKey {
		var err error
		if values[i], err = c.Type.ParseText(parts[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	raw, err := schema.AppendPartitionKey(nil, values)
	if err != nil {
		return nil, err
	}
	token := ring.Murmur3(raw)
	e := &Endpoints{Keyspace: keyspace, Table: name, Key: key, Token: fmt.Sprint(int64(token))}
	addresses := v.names()
	p := v.Topology.Tables[t.ID]
	if p == nil {
		e.Nodes = addresses[:1]
		return e, nil
	}
	for _, i := range p.Replicas(token).Read {
		e.Nodes = append(e.Nodes, addresses[i])
	}
	return e, nil
}

// WriteText writes the layout of `nodetool getendpoints`.
func (e *Endpoints) WriteText(w io.Writer) {
	for _, n := range e.Nodes {
		fmt.Fprintln(w, n)
	}
}
