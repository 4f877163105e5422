package mutation

// Deletion shadows everything at or below its timestamp. The zero value
// deletes nothing.
type Deletion struct {
	Timestamp int64  // microseconds
	LocalTime uint32 // seconds since 1970 on the node that deleted, for gc_grace
	Set       bool
}

// Covers tells whether something written at ts is deleted.
func (d Deletion) Covers(ts int64) bool { return d.Set && ts <= d.Timestamp }

// Supersedes tells whether d wins over o: the later timestamp, then the later
// local time.
func (d Deletion) Supersedes(o Deletion) bool {
	switch {
	case !d.Set:
		return false
	case !o.Set:
		return true
	case d.Timestamp != o.Timestamp:
		return d.Timestamp > o.Timestamp
	}
	return d.LocalTime > o.LocalTime
}

// Max returns the one that wins.
func (d Deletion) Max(o Deletion) Deletion {
	if o.Supersedes(d) {
		return o
	}
	return d
}

// Marker is a row's liveness: INSERT writes one, UPDATE does not. The zero
// value is no marker.
type Marker struct {
	Timestamp int64
	TTL       uint32 // seconds, 0 for none
	Expiry    uint32 // seconds since 1970, with TTL
	Set       bool
}

// Live tells whether the marker keeps its row alive at now (seconds).
func (m Marker) Live(now uint32) bool { return m.Set && (m.TTL == 0 || m.Expiry > now) }

func (m Marker) supersedes(o Marker) bool {
	switch {
	case !m.Set:
		return false
	case !o.Set:
		return true
	case m.Timestamp != o.Timestamp:
		return m.Timestamp > o.Timestamp
	case (m.TTL != 0) != (o.TTL != 0):
		return m.TTL != 0
	case m.Expiry != o.Expiry:
		return m.Expiry > o.Expiry
	}
	return m.TTL < o.TTL
}
