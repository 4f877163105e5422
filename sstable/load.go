package sstable

import (
	"encoding/binary"
	"fmt"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/sstable/cache"
)

// source yields the blocks of a table to one iterator: out of the cache, the
// mapping or the file. It holds one block at a time and reuses its buffers.
type source struct {
	r         *Reader
	cacheOnly bool
	pageCache *int // as in IterOptions
	fill      bool
	scrub     bool // read the disk, whatever is in memory
	ahead     int  // bytes to read ahead, 0 for none

	blk    block
	no     int // number of blk, -1 for none
	handle cache.Handle

	stored   []byte // as on disk; always aligned: the next table may be read directly
	raw      []byte // decoded, private
	window   []byte // what was read ahead, in spare or in memory of its own
	windowAt int64
	spare    *[]byte // a pooled buffer of maxReadAhead
	limit    int64   // reading ahead ends here
}

func (s *source) reset(r *Reader) {
	s.release()
	s.r = r
	s.window, s.windowAt, s.limit = nil, 0, r.footer.dataEnd
}

// close is release that also lets go of large buffers.
func (s *source) close() {
	s.release()
	if s.spare != nil {
		buffers.Put(s.spare)
		s.spare = nil
	}
	s.window = nil
	if cap(s.raw) > keepBuffer {
		s.raw = nil
	}
	if cap(s.stored) > keepBuffer {
		s.stored = nil
	}
	s.blk = block{}
}

func (s *source) release() {
	if s.handle.Valid() {
		s.handle.Release()
		s.handle = cache.Handle{}
	}
	s.no = -1
}

// load makes blk block no.
func (s *source) load(no int) error {
	if s.no == no {
		return nil
	}
	r := s.r
	offset, length := r.idx.at(no)
	if r.cache != nil && !s.scrub {
		if h, ok := r.cache.Get(r.id, uint64(offset)); ok {
			s.release()
			s.handle = h
			// A block in the cache has passed check.
			if err := s.blk.init(h.Bytes()); err != nil {
				s.release()
				return r.corrupt(offset, "%v", err)
			}
			s.no = no
			return nil
		}
	}
	s.release()
	if r.mapping != nil && !s.scrub {
		return s.loadMapped(no, offset, length)
	}
	if s.cacheOnly {
		b, ok := s.readCached(offset, length)
		if !ok {
			return mutation.ErrWouldBlock
		}
		return s.decode(no, offset, b)
	}
	b, err := s.read(offset, length)
	if err != nil {
		return err
	}
	return s.decode(no, offset, b)
}

// read returns what lies on disk, valid until the next read.
func (s *source) read(offset, length int64) ([]byte, error) {
	r := s.r
	if s.ahead > 0 {
		return s.readAhead(offset, length)
	}
	if !r.direct {
		s.stored = alignedSized(s.stored, int(length))
		return s.stored, r.readAt(s.stored, offset)
	}
	from, to := offset&^(PageSize-1), (offset+length+PageSize-1)&^(PageSize-1)
	s.stored = alignedSized(s.stored, int(to-from))
	if err := r.readAt(s.stored, from); err != nil {
		return nil, err
	}
	return s.stored[offset-from : offset-from+length], nil
}

// readCached is read out of the page cache; false if the block is not all there,
// or is more than may still be taken from it.
func (s *source) readCached(offset, length int64) ([]byte, bool) {
	left := s.pageCache
	if s.r.direct || left == nil || length > int64(*left) {
		return nil, false
	}
	s.stored = alignedSized(s.stored, int(length))
	if !s.r.file.ReadCached(s.stored, offset) {
		return nil, false
	}
	// Nothing is checked yet: a length that is wrong is found by who may wait.
	raw := int64(binary.LittleEndian.Uint32(s.stored[length-trailerLen:]))
	*left -= int(max(length, raw))
	return s.stored, *left >= 0
}

// readAhead serves blocks out of a window that is read in large pieces, larger
// with every one.
func (s *source) readAhead(offset, length int64) ([]byte, error) {
	if at := offset - s.windowAt; at >= 0 && at+length <= int64(len(s.window)) {
		return s.window[at : at+length], nil
	}
	from := offset &^ (PageSize - 1)
	to := max(offset+length, min(from+int64(s.ahead), s.limit))
	to = (to + PageSize - 1) &^ (PageSize - 1) // within the file: the footer follows
	if s.spare == nil {
		s.spare = buffers.Get().(*[]byte)
	}
	s.window = alignedSized((*s.spare)[:0], int(to-from))
	s.windowAt = from
	if err := s.r.readAt(s.window, from); err != nil {
		s.window = s.window[:0]
		return nil, err
	}
	s.ahead = min(s.ahead*2, maxReadAhead)
	return s.window[offset-from : offset-from+length], nil
}

func sized(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

func alignedSized(b []byte, n int) []byte {
	if cap(b) < n {
		return vfs.AlignedBytes(n)
	}
	return b[:n]
}

// decode checks a stored block and makes it blk, in a frame of the cache if it
// is to be kept and there is room, else in the private buffer.
func (s *source) decode(no int, offset int64, stored []byte) error {
	r := s.r
	payload, codec, n, err := r.checkStored(stored, offset)
	if err != nil {
		return err
	}
	var h cache.Handle
	dst := s.raw
	keep := false
	if r.cache != nil && s.fill {
		if h, keep = r.cache.Reserve(r.id, uint64(offset), n); keep {
			dst = h.Bytes()
		}
	}
	if !keep {
		s.raw = sized(s.raw, n)
		dst = s.raw
	}
	err = decompress(codec, dst, payload)
	if err == nil {
		err = s.blk.check(dst)
	}
	if err == nil && s.blk.first != r.idx.tokens[no] {
		err = fmt.Errorf("%w: first token is not the index's", errBlock)
	}
	if err != nil {
		if keep {
			h.Discard()
		}
		return r.corrupt(offset, "%v", err)
	}
	if keep {
		h.Publish(r.id, uint64(offset))
		s.handle = h
	}
	s.no = no
	return nil
}

// maxInline is the longest block of a mapping in bytes, stored or decoded, that
// an iterator from memory alone copies: some 50 us of them, for which others wait.
const maxInline = 256 << 10

// loadMapped copies the block out of the mapping: bytes that are handed on
// must not fault in the hands of their reader. A block is verified once.
func (s *source) loadMapped(no int, offset, length int64) error {
	r := s.r
	if s.cacheOnly && length > maxInline {
		return mutation.ErrWouldBlock
	}
	s.stored = alignedSized(s.stored, int(length))
	if err := vfs.ReadMapped(r.mapping, s.stored, offset); err != nil {
		return fmt.Errorf("sstable: %s: block at %d: %w", r.name, offset, err)
	}
	word, bit := &r.checked[no/32], uint32(1)<<(no%32)
	n := len(s.stored) - trailerLen
	if word.Load()&bit != 0 && Codec(s.stored[n+4]) == None {
		if err := s.blk.init(s.stored[:n]); err == nil {
			s.no = no
			return nil
		}
	}
	payload, codec, rawLen, err := r.checkStored(s.stored, offset)
	if err != nil {
		return err
	}
	if codec != None {
		if s.cacheOnly && rawLen > maxInline {
			return mutation.ErrWouldBlock
		}
		return s.decode(no, offset, s.stored)
	}
	if err := s.blk.check(payload[:rawLen]); err != nil {
		return r.corrupt(offset, "%v", err)
	}
	if s.blk.first != r.idx.tokens[no] {
		return r.corrupt(offset, "first token is not the index's")
	}
	word.Or(bit)
	s.no = no
	return nil
}
