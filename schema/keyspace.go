package schema

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

const locatorPackage = "org.apache.cassandra.locator."

// Replication strategies, the value of "class".
const (
	SimpleStrategy          = locatorPackage + "SimpleStrategy"
	NetworkTopologyStrategy = locatorPackage + "NetworkTopologyStrategy"
	LocalStrategy           = locatorPackage + "LocalStrategy"
)

// defaultReplicas is the factor of a strategy that is given none.
const defaultReplicas = "1"

// KeyspaceOptions are the properties of CREATE or ALTER KEYSPACE.
type KeyspaceOptions struct {
	Replication   map[string]string // nil if not given
	DurableWrites *bool             // nil if not given
}

// ParseKeyspaceOptions reads a keyspace's properties.
func ParseKeyspaceOptions(props []Property) (o KeyspaceOptions, err error) {
	if err := checkUnique(props); err != nil {
		return o, err
	}
	for _, p := range props {
		switch strings.ToLower(p.Name) {
		case "replication":
			m, err := p.mapValue()
			if err != nil {
				return o, err
			}
			o.Replication = maps.Clone(m)
		case "durable_writes":
			b, err := p.Bool()
			if err != nil {
				return o, err
			}
			o.DurableWrites = &b
		default:
			return o, syntax("Unknown property '%s'", p.Name)
		}
	}
	return o, nil
}

// NewKeyspace checks the name and options of CREATE KEYSPACE. Dcs are the
// names of the data centres there are.
func NewKeyspace(name string, o KeyspaceOptions, dcs []string) (*Keyspace, error) {
	if err := CheckKeyspaceName(name); err != nil {
		return nil, err
	}
	if o.Replication == nil {
		return nil, invalid("Missing mandatory option 'replication'")
	}
	rep, err := checkReplication(name, o.Replication, nil, dcs)
	if err != nil {
		return nil, err
	}
	durable := o.DurableWrites == nil || *o.DurableWrites
	return &Keyspace{Name: name, Replication: rep, DurableWrites: durable,
		Tables: map[string]*Table{}, Types: map[string]*Type{}}, nil
}

// Altered is the keyspace with the options of ALTER KEYSPACE. Tables and types
// are shared with the receiver.
func (k *Keyspace) Altered(o KeyspaceOptions, dcs []string) (*Keyspace, error) {
	c := *k
	if o.Replication != nil {
		var err error
		if c.Replication, err = checkReplication(k.Name, o.Replication, k.Replication, dcs); err != nil {
			return nil, err
		}
	}
	if o.DurableWrites != nil {
		c.DurableWrites = *o.DurableWrites
	}
	return &c, nil
}

// CheckKeyspaceName tells why a keyspace cannot have the name.
func CheckKeyspaceName(name string) error {
	if len(name) > MaxNameLen {
		return invalid("Keyspace name must not be more than %d characters long (got %d characters for \"%s\")", MaxNameLen, len(name), name)
	}
	if !ValidName(name) {
		return invalid("Keyspace name must not be empty and must contain alphanumeric or underscore characters only (got \"%s\")", name)
	}
	if IsSystemKeyspace(name) {
		return invalid("System keyspace '%s' is not user-modifiable", name)
	}
	return nil
}

// CheckTableName tells why a table of the keyspace cannot have the name.
func CheckTableName(keyspace, name string) error {
	if len(name) > MaxTableNameLen {
		return config("%s.%s: Table name must not be more than %d characters long (got %d characters for \"%s\")", keyspace, name, MaxTableNameLen, len(name), name)
	}
	if !ValidName(name) {
		return config("%s.%s: Table name must not be empty or not contain non-alphanumeric-underscore characters (got \"%s\")", keyspace, name, name)
	}
	return nil
}

// IsSystemKeyspace tells whether the node owns the keyspace of that name.
func IsSystemKeyspace(name string) bool {
	switch name {
	case "system", "system_schema", "system_virtual_schema", "system_views",
		"system_traces", "system_auth", "system_distributed":
		return true
	}
	return false
}

// checkReplication checks a replication map and spells it as system_schema
// shows it. Old is the map it replaces, or nil.
func checkReplication(keyspace string, m, old map[string]string, dcs []string) (map[string]string, error) {
	class, ok := m["class"]
	if !ok {
		return nil, config("Missing replication strategy class")
	}
	full := class
	if !strings.Contains(class, ".") {
		full = locatorPackage + class
	}
	switch full {
	case LocalStrategy:
		return nil, invalid("Unable to use given strategy class: LocalStrategy is reserved for internal use.")
	case SimpleStrategy:
		return simpleReplication(keyspace, m)
	case NetworkTopologyStrategy:
		return networkReplication(keyspace, m, old, dcs)
	}
	return nil, config("Unable to find replication strategy class '%s'", full)
}

func simpleReplication(keyspace string, m map[string]string) (map[string]string, error) {
	out := map[string]string{"class": SimpleStrategy, "replication_factor": defaultReplicas}
	for _, k := range sortedKeys(m) {
		switch k {
		case "class":
		case "replication_factor":
			n, err := checkFactor(m[k])
			if err != nil {
				return nil, err
			}
			out[k] = n
		default:
			return nil, config("Unrecognized strategy option {%s} passed to SimpleStrategy for keyspace %s", k, keyspace)
		}
	}
	return out, nil
}

// networkReplication expands "replication_factor" over all data centres,
// keeping what the keyspace has for one already: the option only ever adds.
func networkReplication(keyspace string, m, old map[string]string, dcs []string) (map[string]string, error) {
	out := map[string]string{}
	rf, auto := m["replication_factor"]
	if len(m) == 1 {
		rf, auto = defaultReplicas, true
	}
	if auto {
		n, err := checkFactor(rf)
		if err != nil {
			return nil, err
		}
		for _, dc := range dcs {
			out[dc] = n
		}
		if old["class"] == NetworkTopologyStrategy {
			for dc, n := range old {
				out[dc] = n
			}
		}
	}
	known := map[string]bool{}
	for _, dc := range dcs {
		known[dc] = true
	}
	for _, k := range sortedKeys(m) {
		if k == "class" || k == "replication_factor" {
			continue
		}
		if !known[k] {
			return nil, config("Unrecognized strategy option {%s} passed to NetworkTopologyStrategy for keyspace %s", k, keyspace)
		}
		n, err := checkFactor(m[k])
		if err != nil {
			return nil, err
		}
		out[k] = n
	}
	delete(out, "class")
	for dc, n := range out {
		if n == "0" {
			delete(out, dc)
		}
	}
	if len(out) == 0 {
		return nil, config("Configuration for at least one datacenter must be present")
	}
	out["class"] = NetworkTopologyStrategy
	return out, nil
}

func checkFactor(s string) (string, error) {
	if strings.Contains(s, "/") {
		return "", config("Transient replication is not enabled on this node")
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return "", config("For input string: \"%s\"", s)
	}
	if n < 0 {
		return "", config("Replication factor must be non-negative, found %d", n)
	}
	return strconv.Itoa(int(n)), nil
}

// Factor is the number of replicas in the data centre; with SimpleStrategy in
// all of them together, and 1 with LocalStrategy.
func (k *Keyspace) Factor(dc string) int {
	switch k.Replication["class"] {
	case LocalStrategy:
		return 1
	case SimpleStrategy:
		dc = "replication_factor"
	}
	n, _ := strconv.Atoi(k.Replication[dc])
	return n
}

// Factors is the number of replicas per data centre with
// NetworkTopologyStrategy.
func (k *Keyspace) Factors() map[string]int {
	out := map[string]int{}
	for dc := range k.Replication {
		if dc != "class" {
			out[dc] = k.Factor(dc)
		}
	}
	return out
}

// replicationText prints the map as DESCRIBE does: short class first.
func (k *Keyspace) replicationText() string {
	var b strings.Builder
	class := strings.TrimPrefix(k.Replication["class"], locatorPackage)
	fmt.Fprintf(&b, "{'class': %s", QuoteText(class))
	for _, key := range sortedKeys(k.Replication) {
		if key != "class" {
			fmt.Fprintf(&b, ", %s: %s", QuoteText(key), QuoteText(k.Replication[key]))
		}
	}
	b.WriteByte('}')
	return b.String()
}
