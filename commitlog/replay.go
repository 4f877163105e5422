package commitlog

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/vfs"
)

// window is how much of a segment is read at a time.
const window = 4 << 20

// Report says what a replay found.
type Report struct {
	Segments int   // that hold frames at or above Options.Start
	Frames   int   // in them
	Records  int   // handed out
	Bytes    int64 // of these records
	// Torn are frames that were being written when the process or the machine
	// stopped. Nobody had an answer to them.
	Torn []Torn
	// SetAside are the files of Options.SetAside that were there and damaged or
	// not; what could be read of them was replayed.
	SetAside []string
	// BadHeaders are segments of which one of two header copies was damaged.
	BadHeaders []string
	// Last is the position after the last byte of the newest frame.
	Last Position
}

// Torn is a frame cut off by a crash.
type Torn struct {
	File   string
	Offset int64
}

// found is a segment file of the directory.
type found struct {
	name   string
	slot   uint32
	size   int64
	header header
	seq    uint64 // of its frames, 0 if it has none
	aside  bool
	hint   uint64 // seq by its first frame, unchecked; for the order of reading

	first, last uint64 // frame numbers
	end         int64  // after the last frame
	torn        []int64
	holes       []hole
}

// hole is a place in a segment where a frame should be and is not.
type hole struct {
	off    int64
	number uint64 // of the last frame missing
}

// laneState is what is known of a lane.
type laneState struct {
	last   uint64 // highest frame number
	rec    uint64 // highest of a frame with records
	synced uint64 // highest synced
}

type scanState struct {
	opts      *Options
	direct    bool
	replay    func(Position, []byte) error
	files     []*found
	leftovers []string
	lanes     map[uint16]laneState
	maxSeq    uint64
	maxSlot   uint32
	report    Report
	buf       []byte // window, page-aligned
}

// Replay reads the directory and hands every record at or above o.Start to fn,
// which may keep no part of it; it changes nothing on disk. Records come in
// order within a lane; nothing is promised between lanes. fn's error ends it.
//
// Damage to what was durable is a *CorruptError; some records may have been
// handed out by then, all of them intact.
func Replay(o Options, fn func(pos Position, rec []byte) error) (Report, error) {
	if err := o.Validate(); err != nil {
		return Report{}, err
	}
	o = o.withDefaults()
	st, err := scanDir(&o, false, fn)
	return st.report, err
}

func scanDir(o *Options, direct bool, fn func(Position, []byte) error) (*scanState, error) {
	st := &scanState{opts: o, direct: direct, replay: fn, lanes: map[uint16]laneState{}}
	names, err := o.FS.List(o.Dir)
	if err != nil {
		return st, fmt.Errorf("commitlog: %w", err)
	}
	st.buf = vfs.AlignedBytes(min(window, o.SegmentSize))
	for _, name := range names {
		if err := st.look(name); err != nil {
			return st, err
		}
	}
	slices.SortStableFunc(st.files, func(a, b *found) int { return cmp.Compare(a.hint, b.hint) })
	st.announce()
	for _, f := range st.files {
		if f.aside && f.header.size == 0 {
			continue // unreadable
		}
		if err := st.scan(f); err != nil {
			return st, err
		}
	}
	return st, st.judge()
}

// announce tells how much there may be to replay.
func (st *scanState) announce() {
	if st.opts.OnReplay == nil {
		return
	}
	var bytes int64
	for _, f := range st.files {
		if f.hint >= max(st.opts.Start.Segment, 1) {
			bytes += f.size
		}
	}
	st.opts.OnReplay(bytes)
}

// look reads the header of one file.
func (st *scanState) look(name string) error {
	slot, ok := parseSegmentName(name)
	if !ok {
		if base, isNew := strings.CutSuffix(name, newSuffix); isNew {
			if _, ok := parseSegmentName(base); ok {
				st.leftovers = append(st.leftovers, name)
			}
		}
		if base, isAside := strings.CutSuffix(name, setAsideSuffix); isAside {
			if slot, ok := parseSegmentName(base); ok {
				st.maxSlot = max(st.maxSlot, slot)
			}
		}
		return nil
	}
	st.maxSlot = max(st.maxSlot, slot)
	f := &found{name: name, slot: slot, end: dataStart, aside: st.opts.SetAside[name]}
	st.files = append(st.files, f)
	if f.aside {
		st.report.SetAside = append(st.report.SetAside, name)
	}
	err := st.readHeader(f)
	if err != nil && f.aside && errors.Is(err, ErrCorrupt) {
		f.header = header{}
		return nil
	}
	return err
}

func (st *scanState) readHeader(f *found) (err error) {
	file, err := st.opts.FS.Open(st.opts.path(f.name), vfs.OpenOptions{Direct: st.direct})
	if err != nil {
		return fmt.Errorf("commitlog: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if f.size, err = file.Size(); err != nil {
		return fmt.Errorf("commitlog: %w", err)
	}
	b, unread := st.readHead(file)
	first, ok1 := decodeHeader(b)
	second, ok2 := decodeHeader(b[min(pageSize, len(b)):])
	switch {
	case !ok1 && !ok2:
		return &CorruptError{File: st.opts.path(f.name), Detail: "both copies of the header are damaged", Cause: unread}
	case ok1 && (!ok2 || first.uses >= second.uses):
		f.header = first
	default:
		f.header = second
	}
	if !ok1 || !ok2 {
		st.report.BadHeaders = append(st.report.BadHeaders, f.name)
	}
	if err := f.header.check(st.opts.path(f.name)); err != nil {
		return err
	}
	if f.header.size > maxSegment || f.header.size%pageSize != 0 || uint64(f.size) < f.header.size {
		return &CorruptError{
			File: st.opts.path(f.name), Offset: f.size,
			Detail: fmt.Sprintf("the file is %d bytes long, its header says %d", f.size, f.header.size),
		}
	}
	f.size = int64(f.header.size)
	if fr, ok := decodeFrame(b[min(dataStart, len(b)):]); ok && fr.incarnation == f.header.incarnation {
		f.hint = fr.segment
	}
	return nil
}

// readHead returns the two copies of the header and the page behind them. A
// page that cannot be read is zeros, and unread why: the other copy, read by
// itself, may be good, and what became of the first frame shows when the frames
// are read.
func (st *scanState) readHead(file vfs.File) (b []byte, unread error) {
	b, err := readUpTo(file, st.buf[:dataStart+pageSize], 0)
	if err == nil {
		return b, nil
	}
	b = st.buf[:dataStart+pageSize]
	for off := 0; off < len(b); off += pageSize {
		page := b[off : off+pageSize]
		got, err := readUpTo(file, page, int64(off))
		if err != nil {
			got, unread = nil, err
		}
		clear(page[len(got):])
	}
	return b, unread
}

// scan reads all frames of a segment and hands out its records.
func (st *scanState) scan(f *found) (err error) {
	file, err := st.opts.FS.Open(st.opts.path(f.name), vfs.OpenOptions{Direct: st.direct})
	if err != nil {
		return fmt.Errorf("commitlog: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r := &pageReader{file: file, size: f.size, buf: st.buf}
	defer func() { st.buf = r.buf }()
	for off := int64(dataStart); off < f.size; {
		fr, b, err := r.frame(f, off)
		if err != nil && !f.aside {
			return &CorruptError{File: st.opts.path(f.name), Offset: off, Detail: "a frame cannot be read", Cause: err}
		}
		if b == nil || err != nil {
			off += pageSize
			continue
		}
		if !frameIntact(b) {
			f.torn = append(f.torn, off)
			off += pageSize
			continue
		}
		if fr.segment < st.opts.Start.Segment {
			st.maxSeq = max(st.maxSeq, fr.segment)
			f.torn, f.holes = nil, nil
			return nil // discarded
		}
		if err := st.take(f, &fr, b, off); err != nil {
			return err
		}
		off += int64(pad(int(fr.length)))
	}
	return nil
}

// owns tells whether a frame belongs to this use of the file.
func (f *found) owns(fr *frame) bool {
	if fr.incarnation != f.header.incarnation || fr.lane != f.header.lane {
		return false
	}
	return f.seq == 0 || fr.segment == f.seq
}

// take checks the place of an intact frame among the others and hands out its
// records.
func (st *scanState) take(f *found, fr *frame, b []byte, off int64) error {
	if f.seq == 0 {
		f.seq, f.first = fr.segment, fr.number
		f.last = fr.number - 1
		st.report.Segments++
	}
	if off != f.end || fr.number != f.last+1 {
		f.holes = append(f.holes, hole{off: f.end, number: fr.number - 1})
	}
	f.last, f.end = fr.number, off+int64(pad(int(fr.length)))
	ls := st.lanes[fr.lane]
	ls.last, ls.synced = max(ls.last, fr.number), max(ls.synced, fr.synced)
	if fr.records > 0 {
		ls.rec = max(ls.rec, fr.number)
	}
	st.lanes[fr.lane] = ls
	st.maxSeq = max(st.maxSeq, fr.segment)
	st.report.Frames++
	if end := (Position{Segment: fr.segment, Offset: uint32(off) + fr.length}); st.report.Last.Less(end) {
		st.report.Last = end
	}
	return st.records(f, fr, b, off)
}

func (st *scanState) records(f *found, fr *frame, b []byte, off int64) error {
	r := encoding.NewReader(b[frameHeaderSize:fr.length])
	for range fr.records {
		pos := Position{Segment: fr.segment, Offset: uint32(off) + frameHeaderSize + uint32(r.Offset())}
		rec := r.Bytes()
		if r.Err() != nil {
			break
		}
		if pos.Less(st.opts.Start) {
			continue
		}
		st.report.Records++
		st.report.Bytes += int64(len(rec))
		if st.replay == nil {
			continue
		}
		if err := st.replay(pos, rec); err != nil {
			return err
		}
	}
	if r.Err() != nil || r.Len() != 0 {
		return &CorruptError{File: st.opts.path(f.name), Offset: off, Detail: "an intact frame holds other records than its header says"}
	}
	return nil
}

// judge tells rot from torn tails, now that the lanes' synced marks are known:
// every frame of a lane up to the mark must have been found.
func (st *scanState) judge() error {
	slices.SortStableFunc(st.files, func(a, b *found) int { return cmp.Compare(a.seq, b.seq) })
	prev := map[uint16]*found{}
	for _, f := range st.files {
		synced := st.lanes[f.header.lane].synced
		if f.seq < st.opts.Start.Segment || f.seq == 0 {
			st.noteTorn(f)
			continue
		}
		for _, h := range f.holes {
			if h.number <= synced && !f.aside {
				return &CorruptError{File: st.opts.path(f.name), Offset: h.off, Detail: fmt.Sprintf("damaged frames; the log was durable up to frame %d here", synced)}
			}
		}
		p := prev[f.header.lane]
		prev[f.header.lane] = f
		if p != nil && f.first != p.last+1 && len(st.report.SetAside) == 0 && min(f.first-1, p.last+1) <= synced {
			return st.gap(p, f)
		}
		st.noteTorn(f)
	}
	return nil
}

// gap is the error for frames missing between two segments of a lane.
func (st *scanState) gap(p, f *found) error {
	for _, s := range st.files {
		if s.seq == 0 && len(s.torn) > 0 && s.header.lane == f.header.lane {
			return &CorruptError{File: st.opts.path(s.name), Offset: s.torn[0], Detail: "damaged frames that were durable"}
		}
	}
	return &CorruptError{
		File: st.opts.path(p.name), Offset: p.end,
		Detail: fmt.Sprintf("frames %d to %d of lane %d are missing or damaged", p.last+1, f.first-1, f.header.lane),
	}
}

func (st *scanState) noteTorn(f *found) {
	if f.aside {
		return
	}
	for _, off := range f.torn {
		st.report.Torn = append(st.report.Torn, Torn{File: f.name, Offset: off})
	}
}

// pageReader reads a file through one buffer.
type pageReader struct {
	file vfs.File
	size int64
	buf  []byte
	off  int64
	have []byte // of buf, from off
}

// frame returns the frame of f that begins at off, not yet checked, or nil.
func (r *pageReader) frame(f *found, off int64) (frame, []byte, error) {
	page, err := r.at(off, pageSize)
	if err != nil {
		return frame{}, nil, err
	}
	fr, ok := decodeFrame(page)
	if !ok || !f.owns(&fr) || off+int64(fr.length) > f.size {
		return frame{}, nil, nil
	}
	b, err := r.at(off, int(fr.length))
	return fr, b, err
}

// at returns n bytes from off, a page boundary, valid until the next call. The
// caller has checked that the file is long enough.
func (r *pageReader) at(off int64, n int) ([]byte, error) {
	if skip := off - r.off; skip >= 0 && skip+int64(n) <= int64(len(r.have)) {
		return r.have[skip : skip+int64(n)], nil
	}
	if pad(n) > len(r.buf) {
		r.buf = vfs.AlignedBytes(pad(n))
	}
	want := min(int64(len(r.buf)), r.size-off)
	b, err := readUpTo(r.file, r.buf[:want], off)
	if err != nil && want > int64(pad(n)) {
		// A bad sector further on must not cost what is before it.
		b, err = readUpTo(r.file, r.buf[:pad(n)], off)
	}
	r.have = nil
	if err != nil {
		return nil, err
	}
	if len(b) < n {
		return nil, io.ErrUnexpectedEOF
	}
	r.off, r.have = off, b
	return b[:n], nil
}

// readUpTo fills p or reads to the end of the file.
func readUpTo(f vfs.File, p []byte, off int64) ([]byte, error) {
	n, err := f.ReadAt(p, off)
	if err == io.EOF || n == len(p) {
		err = nil
	}
	return p[:n], err
}
