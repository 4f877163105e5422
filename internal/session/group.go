package session

import (
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/mutation"
)

// Grouper is a Handler that also executes plain statements about one row many at
// a time, without Requests.
type Grouper interface {
	NewGroup() Group
}

// Execution is an execution of a prepared statement without paging state and
// condition.
type Execution struct {
	Prepared     *Prepared
	Consistency  native.Consistency
	Timestamp    int64 // of a write, microseconds, if HasTimestamp
	HasTimestamp bool
	Values       []native.Value
}

// Group is executions that came together and know nothing of each other. It is
// used again and again, by one goroutine at a time: Begin, then Add and at last
// Write and Read as often as there is something to do.
type Group interface {
	// Begin makes it ready for the executions of one frame, whose values must stay
	// valid until they are done.
	Begin()
	// Add takes an execution if it can be done here: AddedNot means that it has to
	// be a Request.
	Add(e *Execution) Added
	// Write starts the writes that were added since the last one. It never waits.
	// After true done is told the outcome of all, exactly once, perhaps before
	// Write returns; until then Write must not be called again, nor Begin. After
	// false nothing was done: each has to be a Request.
	Write(done mutation.Completer) bool
	// WriteError makes what done was told into what the client sees of the i-th
	// write.
	WriteError(i int, err error) *native.Error
	// Read answers the reads that were added since the last one, from memory, and
	// tells to. Those that it is not told of have to be Requests.
	Read(to Answers)
}

// Added is what became of an execution.
type Added uint8

// Outcomes of Group.Add.
const (
	AddedNot Added = iota
	AddedWrite
	AddedRead
)

// Answers takes what comes of a Group's reads.
type Answers interface {
	// Buffer is what the row of the i-th read is appended to.
	Buffer(i int) []byte
	// Row takes the buffer with so many rows, which are 1 or 0, appended.
	Row(i int, columns *native.Metadata, buffer []byte, rows int)
}
