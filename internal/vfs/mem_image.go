package vfs

import "sync/atomic"

const (
	// grainSize is the unit that a disk writes or loses as a whole.
	grainSize  = 512
	pageSize   = 4096
	chunkPages = 256
)

type page [pageSize]byte

// chunk is 1 MiB of an image. Chunks and pages are shared between images and
// copied when written: a chunk belongs to the image whose file has the token
// owner, the page in slot i to the one that has owners[i]; 0 is nobody.
type chunk struct {
	owner  uint64
	owners [chunkPages]uint64
	pages  [chunkPages]*page // nil: zeros
}

// image is the content of a file at one moment. Pages past the size are zero.
type image struct {
	size   int64
	chunks []*chunk // nil: zeros
}

var lastToken atomic.Uint64

// newToken returns what marks chunks and pages as owned. A file takes a new
// one when its images become shared with a clone.
func newToken() uint64 { return lastToken.Add(1) }

// share returns a second image with the same content. Both files must take new
// tokens before either is written.
func (im *image) share() image {
	return image{size: im.size, chunks: append([]*chunk(nil), im.chunks...)}
}

func (im *image) page(i int) *page {
	if c := i / chunkPages; c < len(im.chunks) && im.chunks[c] != nil {
		return im.chunks[c].pages[i%chunkPages]
	}
	return nil
}

// chunkFor returns the chunk of page i for writing.
func (im *image) chunkFor(i int, tok uint64) *chunk {
	c := i / chunkPages
	for c >= len(im.chunks) {
		im.chunks = append(im.chunks, nil)
	}
	switch old := im.chunks[c]; {
	case old == nil:
		im.chunks[c] = &chunk{owner: tok}
	case old.owner != tok:
		own := *old
		own.owner = tok
		im.chunks[c] = &own
	}
	return im.chunks[c]
}

// set puts p, which from now on is shared with another image, into slot i.
func (im *image) set(i int, p *page, tok uint64) {
	if p == nil && im.page(i) == nil {
		return
	}
	c := im.chunkFor(i, tok)
	c.pages[i%chunkPages], c.owners[i%chunkPages] = p, 0
}

// write puts p at off without changing the size.
func (im *image) write(p []byte, off int64, tok uint64) {
	for len(p) > 0 {
		i, at := int(off/pageSize), int(off%pageSize)
		n := min(len(p), pageSize-at)
		c := im.chunkFor(i, tok)
		slot := i % chunkPages
		if c.pages[slot] == nil || c.owners[slot] != tok {
			own := new(page)
			if old := c.pages[slot]; old != nil && n < pageSize {
				*own = *old
			}
			c.pages[slot], c.owners[slot] = own, tok
		}
		copy(c.pages[slot][at:], p[:n])
		p, off = p[n:], off+int64(n)
	}
}

// read copies from off, with zeros where nothing was written, regardless of
// the size.
func (im *image) read(p []byte, off int64) {
	for len(p) > 0 {
		at := int(off % pageSize)
		n := min(len(p), pageSize-at)
		if from := im.page(int(off / pageSize)); from != nil {
			copy(p[:n], from[at:])
		} else {
			clear(p[:n])
		}
		p, off = p[n:], off+int64(n)
	}
}

var zeros page

// resize sets the size and zeroes what lies beyond it.
func (im *image) resize(size int64, tok uint64) {
	im.size = size
	i := int(size / pageSize)
	if at := int(size % pageSize); at > 0 {
		if p := im.page(i); p != nil && *(*[pageSize]byte)(p) != zeros {
			im.write(zeros[at:], size, tok)
		}
		i++
	}
	whole := (i + chunkPages - 1) / chunkPages
	for end := min(whole*chunkPages, len(im.chunks)*chunkPages); i < end; i++ {
		im.set(i, nil, tok)
	}
	if whole < len(im.chunks) {
		im.chunks = im.chunks[:whole:whole]
	}
}

// numPages is one more than the highest page that may hold data.
func (im *image) numPages() int { return len(im.chunks) * chunkPages }
