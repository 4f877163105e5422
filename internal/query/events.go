package query

import (
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// Announce tells clients of a change of the schema that is in force here,
// whoever has made it. It is what the cluster's changes are subscribed with.
func (p *Processor) Announce(_ *schema.Snapshot, c schema.Change) {
	event, ok := changed(c)
	if push := p.push.Load(); ok && push != nil {
		(*push)(&native.Event{Kind: native.SchemaChangeEvents, Schema: event})
	}
}

// changes are what each kind of change is called; TRUNCATE is none to clients.
var changes = map[schema.ChangeKind]native.SchemaChange{
	schema.CreateKeyspace: {Change: native.ChangeCreated, Target: native.TargetKeyspace},
	schema.AlterKeyspace:  {Change: native.ChangeUpdated, Target: native.TargetKeyspace},
	schema.DropKeyspace:   {Change: native.ChangeDropped, Target: native.TargetKeyspace},
	schema.CreateTable:    {Change: native.ChangeCreated, Target: native.TargetTable},
	schema.AlterTable:     {Change: native.ChangeUpdated, Target: native.TargetTable},
	schema.DropTable:      {Change: native.ChangeDropped, Target: native.TargetTable},
	schema.CreateType:     {Change: native.ChangeCreated, Target: native.TargetType},
	schema.AlterType:      {Change: native.ChangeUpdated, Target: native.TargetType},
	schema.DropType:       {Change: native.ChangeDropped, Target: native.TargetType},
}

func changed(c schema.Change) (event native.SchemaChange, ok bool) {
	event, ok = changes[c.Kind]
	switch {
	case c.Keyspace != nil:
		event.Keyspace = c.Keyspace.Name
	case c.Table != nil:
		event.Keyspace, event.Name = c.Table.Keyspace, c.Table.Name
	case c.Type != nil:
		event.Keyspace, event.Name = c.Type.Keyspace(), c.Type.Name()
	}
	return event, ok
}
