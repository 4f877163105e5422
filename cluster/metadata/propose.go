package metadata

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

const (
	// proposeTimeout bounds one attempt to have a proposal decided, so that a
	// leader that has gone silent is left for another.
	proposeTimeout = 3 * time.Second
	// retryAfter is the pause before the next attempt, up to twice of it.
	retryAfter = 50 * time.Millisecond
)

// answerCode says what became of an attempt. On the wire, never renumber.
type answerCode uint8

const (
	answerDecided   answerCode = 1
	answerNotLeader answerCode = 2 // leader may tell who is
	answerRetry     answerCode = 3 // the leader has gone or has too much to do
)

// answer is what a proposer is told.
type answer struct {
	code   answerCode
	what   outcome  // with answerDecided
	epoch  uint64   // with answerDecided
	leader [16]byte // with answerNotLeader, or zero
	err    error    // of events that are no proposals
}

const answerLen = 26

func appendAnswer(dst []byte, a *answer) []byte {
	dst = append(dst, byte(a.code), byte(a.what))
	for i := range 8 {
		dst = append(dst, byte(a.epoch>>(8*i)))
	}
	return append(dst, a.leader[:]...)
}

func decodeAnswer(p []byte) (a answer, err error) {
	if len(p) != answerLen {
		return a, fmt.Errorf("%w: answer of %d bytes", ErrCorrupt, len(p))
	}
	r := encoding.NewReader(p)
	a.code, a.what, a.epoch = answerCode(r.U8()), outcome(r.U8()), r.U64()
	copy(a.leader[:], r.Take(16))
	if a.code < answerDecided || a.code > answerRetry {
		return a, fmt.Errorf("%w: answer %d", ErrCorrupt, a.code)
	}
	return a, nil
}

// Propose implements Log: it has the change agreed on and returns when it is in
// force here. The checks run against State; if the schema has moved by the time
// the entry is applied, they run again. When ctx ends first the error wraps
// ErrNoLeader or ErrUnknown.
func (l *Replicated) Propose(ctx context.Context, change schema.Change, checks ...func(*schema.Snapshot) error) (uint64, error) {
	return l.decide(ctx, func(s *State) (*command, error) {
		for _, check := range checks {
			if check == nil {
				continue
			}
			if err := check(s.Schema); err != nil {
				return nil, err
			}
		}
		after, err := s.Schema.Apply(change, s.Epoch+1)
		if err != nil {
			return nil, err
		}
		c := &command{change: &change}
		if change.Kind == schema.CreateKeyspace || change.Kind == schema.AlterKeyspace {
			c.placements, err = place(s.Members, after.Keyspaces[change.Keyspace.Name])
		}
		return c, err
	})
}

// Register makes a member known, or replaces what is known of it; if that is
// the same already it returns at once. Once there is a user table only addresses
// and levels may change: ErrUserTables.
func (l *Replicated) Register(ctx context.Context, m Member) (uint64, error) {
	return l.Join(ctx, func(*State) Member { return m })
}

// Join is Register of what a function makes of the state agreed on, such as
// tokens that lie well between those of the others. It is called anew while
// the state moves.
func (l *Replicated) Join(ctx context.Context, member func(*State) Member) (uint64, error) {
	return l.decide(ctx, func(s *State) (*command, error) {
		m := member(s)
		c := &command{member: &m}
		i, found := memberAt(s.Members, m.HostID)
		if found && s.Members[i].equal(&m) {
			return nil, nil
		}
		if found && s.Members[i].samePlace(&m) {
			return c, nil
		}
		return c, c.placeAll(s, withMember(s.Members, m))
	})
}

// Remove ends a membership, unless there is a user table: ErrUserTables.
func (l *Replicated) Remove(ctx context.Context, host [16]byte) (uint64, error) {
	return l.decide(ctx, func(s *State) (*command, error) {
		members := withoutMember(s.Members, host)
		if len(members) == len(s.Members) || len(members) == 0 {
			return nil, ErrNoMember
		}
		c := &command{removed: &host}
		return c, c.placeAll(s, members)
	})
}

// RaiseLevel makes all nodes write a higher format level: ErrLevel if a member
// cannot. It returns at once if they do.
func (l *Replicated) RaiseLevel(ctx context.Context, to uint16) (uint64, error) {
	return l.decide(ctx, func(s *State) (*command, error) {
		if s.Level >= to {
			return nil, nil
		}
		return &command{level: to}, nil
	})
}

// placeAll places all keyspaces on the members.
func (c *command) placeAll(s *State, members []Member) (err error) {
	keyspaces := make([]*schema.Keyspace, 0, len(s.Schema.Keyspaces))
	for _, ks := range s.Schema.Keyspaces {
		keyspaces = append(keyspaces, ks)
	}
	c.placements, err = place(members, keyspaces...)
	return err
}

// decide has what build makes of the state agreed on, building it anew while
// the state moves. A nil command means that it is so already. This node's
// proposals come one after the other.
func (l *Replicated) decide(ctx context.Context, build func(*State) (*command, error)) (uint64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.proposing, cancel)()
	for _, awaited := range []<-chan struct{}{l.ready, l.turn} {
		select {
		case <-awaited:
		case <-ctx.Done():
			select {
			case <-l.closing: // which has ended ctx, too
				return 0, ErrClosed
			default:
				return 0, ctx.Err()
			}
		case <-l.closing:
			return 0, ErrClosed
		}
	}
	defer func() { l.turn <- struct{}{} }()
	for {
		s := l.state.Load()
		c, err := build(s)
		if err != nil {
			return 0, err
		}
		if c == nil {
			return s.Epoch, nil
		}
		l.rand.Read(c.id[:])
		c.proposer = l.opts.HostID
		c.base, c.schemaEpoch, c.membersEpoch = s.at.index, s.Schema.Epoch, s.membersEpoch
		data := appendCommand(nil, c)
		if len(data) > maxPayload-answerLen {
			return 0, &schema.Error{Kind: schema.ErrInvalid, Message: fmt.Sprintf("Schema change of %d bytes is larger than the maximum of %d", len(data), maxPayload)}
		}
		// An entry that nodes cannot decode would stop the logs of all of them.
		if _, err := decodeCommand(data); err != nil {
			return 0, &schema.Error{Kind: schema.ErrInvalid, Message: fmt.Sprintf("The change cannot be read back from its encoding: %v", err)}
		}
		a, err := l.submit(ctx, c, data)
		if err != nil {
			return 0, err
		}
		if err := l.Wait(ctx, a.epoch); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		if a.what != moved {
			return a.epoch, a.what.err()
		}
	}
}

// err is what the proposer is told.
func (o outcome) err() error {
	switch o {
	case applied:
		return nil
	case hasTables:
		return ErrUserTables
	case noMember:
		return ErrNoMember
	case memberConflict:
		return ErrMemberConflict
	case levelRefused:
		return ErrLevel
	case schemaRefused:
		return &schema.Error{Kind: schema.ErrInvalid, Message: "The schema does not allow the change"}
	}
	return ErrUnknown
}

// submit asks voters until one has the proposal decided.
func (l *Replicated) submit(ctx context.Context, c *command, data []byte) (answer, error) {
	sent := false // somebody may have it
	var hint [16]byte
	for attempt := 0; ; attempt++ {
		to := l.target(hint, attempt)
		var a answer
		var err error
		if to == l.opts.HostID {
			a, err = l.ask(ctx, c, data)
		} else {
			a, err = l.forward(ctx, to, data)
		}
		if err == nil && a.code == answerDecided {
			l.leader.Store(&to) // or it knows who is
			return a, nil
		}
		sent = sent || err != nil || a.code == answerRetry
		if errors.Is(err, ErrClosed) || l.failure() != nil {
			return a, errors.Join(l.failure(), err)
		}
		hint = [16]byte{}
		if err == nil && a.leader != to {
			hint = a.leader
		}
		pause := retryAfter + time.Duration(l.rand.Uint64N(uint64(retryAfter)))
		if hint != ([16]byte{}) && attempt%8 != 7 {
			pause = 0 // but for two that think it is the other
		}
		if err := l.sleep(ctx, pause); err != nil {
			if sent {
				return a, fmt.Errorf("%w: %w", ErrUnknown, err)
			}
			return a, fmt.Errorf("%w: %w", ErrNoLeader, err)
		}
	}
}

// target is whom to ask: the hint, who led last, then all voters in turn.
func (l *Replicated) target(hint [16]byte, attempt int) [16]byte {
	if hint != ([16]byte{}) {
		return hint
	}
	voters := l.state.Load().Voters
	if leader := l.lastLeader(); attempt == 0 && leader != ([16]byte{}) {
		return leader
	}
	if len(voters) == 0 {
		return l.opts.HostID
	}
	return voters[(uint64(attempt)+raftID(l.opts.HostID))%uint64(len(voters))]
}

// ask has this node's core propose.
func (l *Replicated) ask(ctx context.Context, c *command, data []byte) (answer, error) {
	ctx, cancel := l.after(ctx, proposeTimeout)
	defer cancel()
	reply := make(chan answer, 1)
	select {
	case l.events <- event{kind: eventPropose, command: c, data: data, reply: reply}:
	case <-ctx.Done():
		return answer{}, ctx.Err()
	case <-l.closing:
		return answer{}, ErrClosed
	}
	select {
	case a := <-reply:
		return a, nil
	case <-ctx.Done():
		return answer{}, ctx.Err()
	case <-l.closing:
		return answer{}, ErrClosed
	}
}

// forward asks another node to propose.
func (l *Replicated) forward(ctx context.Context, to [16]byte, data []byte) (answer, error) {
	ctx, cancel := l.after(ctx, proposeTimeout+retryAfter)
	defer cancel()
	body, err := l.network.Propose(ctx, to, data)
	if err != nil {
		return answer{}, err
	}
	return decodeAnswer(body)
}

// ServePropose answers a peer's Network.Propose. It waits until the proposal is
// decided, at most proposeTimeout. The error is about bytes that are no
// proposal, or that this node has stopped.
func (l *Replicated) ServePropose(ctx context.Context, proposal []byte) ([]byte, error) {
	if len(proposal) > maxPayload-answerLen {
		return nil, fmt.Errorf("%w: proposal of %d bytes", ErrCorrupt, len(proposal))
	}
	data := append([]byte(nil), proposal...)
	c, err := decodeCommand(data)
	if err != nil {
		return nil, err
	}
	if !c.proposable() {
		return nil, fmt.Errorf("%w: not a proposal", ErrCorrupt)
	}
	if err := checkPlacements(c.placements); err != nil {
		return nil, err
	}
	a, err := l.ask(ctx, c, data)
	if errors.Is(err, ErrClosed) || l.failure() != nil {
		return nil, errors.Join(l.failure(), err)
	}
	if err != nil {
		a = answer{code: answerRetry}
	}
	return appendAnswer(nil, &a), nil
}

// checkPlacements refuses placements that name the epochs of changes: they are
// given when the entry is applied.
func checkPlacements(placements map[string]*ring.Placement) error {
	for name, p := range placements {
		for i := range p.Ranges {
			if p.Ranges[i].Changed != 0 {
				return fmt.Errorf("%w: placement of %s with an epoch", ErrCorrupt, name)
			}
		}
	}
	return nil
}
