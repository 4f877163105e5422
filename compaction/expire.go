package compaction

// expired returns the idle tables that may be dropped unread.
//
// Everything in such a table is an expired cell or a tombstone, so all it can
// do is to shadow. It goes if its deletions have reached every replica and
// nothing that it overlaps is as old as its newest. A table that stays needs
// not be asked again: what it holds is dead in any case. Where all cells have
// one TTL those that have expired need not have reached the others, who let go
// of what they shadow as well; a tombstone must, since what it shadows on a
// replica that has missed it lives on.
func (s *State) expired(o *Options) (tables []*TableInfo) {
	bound := s.GCBefore
	if o.UnsafeExpiration || s.uniformTTL() {
		bound = s.GraceBefore
	}
	dead := func(t *TableInfo) bool { return t.AllExpire && t.MaxDrop < bound }
	for i := range s.Tables {
		t := &s.Tables[i]
		kept := t.Tombstones && t.MaxDrop >= s.GCBefore && !o.UnsafeExpiration
		if t.Busy || !dead(t) || kept || t.PendingRepair != [16]byte{} || o.OnlyPurgeRepaired && !t.Repaired {
			continue
		}
		if o.UnsafeExpiration || s.oldest(t, dead) > t.MaxTimestamp {
			tables = append(tables, t)
		}
	}
	return tables
}

// oldest is the smallest timestamp of what t may shadow: of everything that is
// in no file, and of files that overlap t and are not dead. If skip is nil, all
// files count.
func (s *State) oldest(t *TableInfo, skip func(*TableInfo) bool) int64 {
	ts := s.OthersMinTimestamp
	for i := range s.Tables {
		if x := &s.Tables[i]; x != t && x.overlaps(t) && (skip == nil || !skip(x)) {
			ts = min(ts, x.MinTimestamp)
		}
	}
	return ts
}

// uniformTTL tells whether every cell in the files has the table's TTL.
func (s *State) uniformTTL() bool {
	if s.DefaultTTL == 0 {
		return false
	}
	for i := range s.Tables {
		t := &s.Tables[i]
		if !t.AllExpire || t.MinTTL != s.DefaultTTL || t.MaxTTL != s.DefaultTTL {
			return false
		}
	}
	return true
}

// worthPurging tells whether to rewrite t alone for its tombstones.
func (s *State) worthPurging(o *Options, t *TableInfo) bool {
	if !o.TombstoneTasks || t.Droppable <= o.TombstoneThreshold ||
		s.Now < t.CreatedAt || s.Now-t.CreatedAt < o.TombstoneInterval ||
		o.OnlyPurgeRepaired && !t.Repaired {
		return false
	}
	// Where something older lies elsewhere no tombstone would go.
	return o.UncheckedTombstones || s.oldest(t, nil) > t.MinTimestamp
}
