package main

import (
	"bytes"
	"encoding/binary"
)

// Types of columns, as in a row's description.
const (
	typeBlob    = 0x03
	typeVarchar = 0x0d
	typeUUID    = 0x0c
	typeInet    = 0x10
	typeMap     = 0x21
	typeSet     = 0x22
)

// column is a name, a type with what it contains, and the value in the one row.
type column struct {
	name  string
	types []uint16
	value []byte
}

// statement is one that is known: the frames that answer PREPARE and EXECUTE.
type statement struct {
	words            string // that it begins with
	prepared, result []byte
}

// answers are whole frames, ready but for the stream.
type answers struct {
	ready, supported, void, wrongVersion []byte
	statements                           []statement
}

// body builds the inside of a frame.
type body []byte

func (b body) short(n int) body     { return binary.BigEndian.AppendUint16(b, uint16(n)) }
func (b body) int(n int) body       { return binary.BigEndian.AppendUint32(b, uint32(n)) }
func (b body) string(s string) body { return append(b.short(len(s)), s...) }
func (b body) bytes(v []byte) body  { return append(b.int(len(v)), v...) }

func (b body) columns(cols []column) body {
	b = b.string("k").string("t")
	for _, c := range cols {
		b = b.string(c.name)
		for _, t := range c.types {
			b = b.short(int(t))
		}
	}
	return b
}

func frame(op byte, b body) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0x84, 0, 0, 0, op}, uint32(len(b))), b...)
}

func newAnswers() *answers {
	a := &answers{
		ready:        frame(opReady, nil),
		supported:    frame(opSupported, body{}.short(1).string("CQL_VERSION").short(1).string("3.4.7")),
		void:         frame(opResult, body{}.int(1)),
		wrongVersion: frame(opError, body{}.int(0x0a).string("this server speaks protocol 4")),
	}
	blob := []uint16{typeBlob}
	value := bytes.Repeat([]byte{'v'}, 40)
	row := make([]column, 5)
	for i := range row {
		row[i] = column{"c" + string(rune('0'+i)), blob, value}
	}
	key := column{name: "pk", types: blob}
	a.add("INSERT INTO kv", append([]column{key}, row...), nil)
	a.add("SELECT c0", []column{key}, row)
	a.add("USE", nil, nil)
	a.statements[2].result = frame(opResult, body{}.int(3).string("cqlload"))

	text, uuid, inet := []uint16{typeVarchar}, []uint16{typeUUID}, []uint16{typeInet}
	id := []byte("0123456789abcdef")
	version := column{"schema_version", uuid, id}
	a.add("SELECT schema_version FROM system.local", nil, []column{version})
	a.add("SELECT * FROM system.local", nil, []column{
		{"key", text, []byte("local")}, {"cluster_name", text, []byte("floor")}, {"data_center", text, []byte("dc1")},
		{"rack", text, []byte("r1")}, {"host_id", uuid, id}, {"release_version", text, []byte("5.0.8")},
		{"partitioner", text, []byte("org.apache.cassandra.dht.Murmur3Partitioner")}, version,
		{"rpc_address", inet, []byte{127, 0, 0, 1}}, {"broadcast_address", inet, []byte{127, 0, 0, 1}},
		{"tokens", []uint16{typeSet, typeVarchar}, body{}.int(1).bytes([]byte("0"))},
	})
	replication := body{}.int(2).bytes([]byte("class")).bytes([]byte("org.apache.cassandra.locator.SimpleStrategy")).
		bytes([]byte("replication_factor")).bytes([]byte("1"))
	a.add("SELECT replication FROM system_schema.keyspaces", []column{{"keyspace_name", text, nil}},
		[]column{{"replication", []uint16{typeMap, typeVarchar, typeVarchar}, replication}})
	a.add("SELECT durable_writes, replication FROM system_schema.keyspaces", []column{{"keyspace_name", text, nil}}, nil)
	a.add("SELECT * FROM system.peers", nil, nil)
	// Any other question of the driver has no rows; those about one keyspace
	// have one value to bind.
	a.add("SELECT", []column{{"keyspace_name", text, nil}}, nil)
	return a
}

// add makes a statement known by its first words. With a result it answers one
// row, else void, or no rows if it is a SELECT.
func (a *answers) add(words string, binds, result []column) {
	rows := 1
	if result == nil && words[:3] == "SEL" {
		result, rows = []column{{"none", []uint16{typeVarchar}, nil}}, 0
	}
	const global, noMetadata = 1, 4
	p := body{}.int(4).short(1)
	p = append(p, byte(len(a.statements)))
	keys := min(len(binds), 1) // the first value is the partition key
	p = p.int(global).int(len(binds)).int(keys)
	if keys == 1 {
		p = p.short(0)
	}
	p = p.columns(binds)
	if result == nil {
		p = p.int(noMetadata).int(0)
	} else {
		p = p.int(global).int(len(result)).columns(result)
	}
	s := statement{words: words, prepared: frame(opResult, p), result: a.void}
	if result != nil {
		r := body{}.int(2).int(global).int(len(result)).columns(result).int(rows)
		// A row that loads of requests ask for comes without its description,
		// as from a server that was asked to leave it out.
		if words == "SELECT c0" {
			r = body{}.int(2).int(noMetadata).int(len(result)).int(rows)
		}
		for _, c := range result[:len(result)*rows] {
			r = r.bytes(c.value)
		}
		s.result = frame(opResult, r)
	}
	a.statements = append(a.statements, s)
}
