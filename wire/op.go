package wire

import "strconv"

// Op says what a message asks for. On the wire: only append, never renumber.
type Op uint16

// Operations between nodes, and those that every connection knows.
const (
	// OpHello, OpHelloReply and OpProof open a connection, see Hello.
	OpHello Op = iota + 1
	OpHelloReply
	OpProof
	// OpPing asks for an empty answer: somebody is there.
	OpPing
	// OpApply applies records: Apply, answered by an empty body.
	OpApply
	// OpForward applies records and sends them on to replicas of the receiver's
	// data centre: Apply with Forward, answered by an empty
	// body for the receiver alone. What became of it at the others, the receiver
	// tells by OpApplied.
	OpForward
	// OpHint is an Apply of a record that was kept for the receiver while it was
	// away, answered by HintReply.
	OpHint
	// OpRead reads: Read, answered by ReadReply.
	OpRead
	// OpGossip is a packet of the failure detector. One-way; its body is the
	// packet.
	OpGossip
	// OpRaft is a message between voters of the metadata log. One-way.
	OpRaft
	// OpPull asks for entries of the metadata log: Pull.
	OpPull
	// OpPropose hands a proposal to a voter.
	OpPropose
	// OpBatchStore keeps a logged batch: BatchStore, answered by an empty body.
	OpBatchStore
	// OpBatchDone forgets it: BatchDone. One-way.
	OpBatchDone
	// OpInfo asks a node about itself.
	OpInfo
	// OpApplied tells a coordinator what became of a write that was sent on:
	// Applied. One-way.
	OpApplied
)

// Operations of clients.
const (
	OpPrepare Op = iota + 256
	OpExecute
	OpBatch
	OpQuery
	// OpTopology asks for the members and who holds what.
	OpTopology
)

var opNames = map[Op]string{
	OpHello: "HELLO", OpHelloReply: "HELLO_REPLY", OpProof: "PROOF", OpPing: "PING",
	OpApply: "APPLY", OpForward: "FORWARD", OpHint: "HINT", OpRead: "READ",
	OpGossip: "GOSSIP", OpRaft: "RAFT", OpPull: "PULL", OpPropose: "PROPOSE",
	OpBatchStore: "BATCH_STORE", OpBatchDone: "BATCH_DONE", OpInfo: "INFO", OpApplied: "APPLIED",
	OpPrepare: "PREPARE", OpExecute: "EXECUTE", OpBatch: "BATCH", OpQuery: "QUERY",
	OpTopology: "TOPOLOGY",
}

// String is the operation's name.
func (o Op) String() string {
	if s, ok := opNames[o]; ok {
		return s
	}
	return "op " + strconv.Itoa(int(o))
}

// Purpose is what a connection is opened for. On the wire, never renumber.
type Purpose uint8

// Purposes.
const (
	// PurposePeer is a member's connection to another member.
	PurposePeer Purpose = iota + 1
	// PurposeJoin is a connection of a node that is no member yet.
	PurposeJoin
	// PurposeClient is a client's.
	PurposeClient
	// PurposeGossip carries packets of the failure detector only.
	PurposeGossip
	// PurposeStream is the failure detector's: after the hello the connection
	// carries its bytes and no frames.
	PurposeStream
)

var purposeNames = [...]string{"", "peer", "join", "client", "gossip", "stream"}

// String is the purpose in a word.
func (p Purpose) String() string {
	if int(p) < len(purposeNames) && p > 0 {
		return purposeNames[p]
	}
	return "purpose " + strconv.Itoa(int(p))
}

// Allows tells whether a connection of that purpose may ask for the operation.
func (p Purpose) Allows(o Op) bool {
	switch p {
	case PurposePeer:
		return o < OpPrepare
	case PurposeJoin:
		return o == OpPing || o == OpPull || o == OpPropose || o == OpInfo
	case PurposeClient:
		return o == OpPing || o == OpInfo || o >= OpPrepare
	case PurposeGossip:
		return o == OpPing || o == OpGossip
	}
	return false
}
