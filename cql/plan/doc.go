// Package plan binds CQL statements to the schema: into mutation records and
// read commands, changes of the schema, and descriptions of it.
//
// # Use
//
//	p, err := plan.Compile(stmt, snapshot, keyspaceInUse) // err is a *native.Error
//
// A Plan is immutable and may be shared and cached; it is good for as long as
// p.Valid(snapshot). p.Bind describes the markers, p.PartitionKey which of them
// make the key, p.Result the rows. What else is in it depends on p.Kind:
//
//	KindModification  p.Modification   INSERT, UPDATE, DELETE
//	    b := plan.NewBinder(env)                  // pooled, one per write in flight
//	    err = p.Modification.Bind(b, values, &options)
//	    cluster.Write{Records: b.Records, Atomic: b.Atomic}; b.Warnings for the client
//	    b.Reset()                                 // after the write completed
//	    If p.Modification.NeedsRead(): first cmd := ReadCommand(b, values, &options), read it with
//	    options.Prior = new(plan.Prior); options.Prior.Load(source, cmd); then Bind.
//	KindBatch         p.Batch          BEGIN BATCH ... APPLY BATCH
//	    p.Batch.Bind(b, func(int) []plan.Value { return values }, &options); NeedsRead as above.
//	    For the BATCH message: plan.NewBatch(kind, modifications) and Bind with each statement's values.
//	KindSelect        p.Select
//	    q := plan.NewQuery(env)                   // pooled, one per read in flight
//	    err = p.Select.Bind(q, values, &options)
//	    then package exec reads q.Command; for p.Table.Virtual rows come from a RowSource.
//	KindSchema        p.Schema         CREATE, ALTER, DROP, TRUNCATE
//	    change, check, err := p.Schema.Change(env, &options) // not if p.Schema.NoOp: answer void
//	    cluster.Propose(ctx, change, check); answer p.Schema.Event, void if nil
//	KindUse           p.Use            the keyspace
//	KindDescribe      p.Describe       p.Describe.Rows(info): the rows of p.Result
//
// Values are native.Value: Bytes nil is null, Unset is unset; exactly
// len(p.Bind.Columns()) of them, which the caller has checked. Options carry the
// coordinator's stamp, the client's timestamp and the page size.
//
// # Terms
//
// Right-hand sides are compiled into terms: a constant's bytes, the index of a
// bound value, or a tree for collections and calls with markers inside. A plain
// INSERT or UPDATE by full key goes from bound bytes to the record without a
// syntax tree, a map or an allocation; so does a SELECT by full key to its
// command.
//
// # Restrictions
//
// All relations of a WHERE clause on the same columns are merged into one
// restriction. A prefix of the clustering columns restricted by = and IN, and one
// slice after it, becomes ranges of bytes (schema.BoundBefore and BoundAfter);
// slices of several columns with mixed order become several ranges. What is left
// filters rows, if ALLOW FILTERING says so. The refusals have Cassandra's words.
//
// # JSON
//
// SELECT JSON is one expression over the selection; INSERT JSON gives every
// column a term that looks into the document, which is decoded once per bind.
//
// # Lists and fields
//
// The path of a list element is 16 bytes that sort in list order, big-endian:
//
//	u64  2^63 plus (appended) or minus (prepended) the time in 100 ns
//	u32  place within the statement or batch, signed with 2^31 as zero
//	u32  a random number of the coordinator
//
// That of a field of a user type is its number, u16 big-endian. A set's element
// and a map's key are their own paths.
//
// # Invariants
//
// A record never holds an element path, key or value that its type's Validate
// refuses. An unset value writes nothing. The whole overwrite of a collection is
// a deletion at one microsecond less than its cells.
//
// # Concurrency
//
// Plans and Env are safe for concurrent use; a Binder or Query belongs to one
// goroutine at a time. The package does no I/O, starts no goroutine and reads no
// clock.
//
// # What it does not do
//
// Conditional writes, counters, indexes, views, user functions and roles
// are refused by name.
package plan
