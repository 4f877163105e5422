package sstable

import (
	"errors"
	"fmt"
	"sync"

	"github.com/ilion-db/ilion/internal/vfs"
)

// buffers are the aligned write buffers of 1 MiB; pooled because a flush of
// many small tables opens many writers.
var buffers = sync.Pool{New: func() any { b := vfs.AlignedBytes(writeBuffer); return &b }}

// output writes a file in order through two buffers: one is filled while the
// other is on its way to the disk. Only a file of more than one buffer starts
// the goroutine that writes.
//
// Thread safety: all methods belong to the writer's goroutine. The goroutine
// here owns the buffer that it was sent until it gives it back; the fields
// file and direct belong to it while it runs.
type output struct {
	fs     vfs.FS
	name   string
	file   vfs.File
	direct bool

	buf  *[]byte
	n    int   // filled of buf
	off  int64 // bytes taken so far
	work chan *[]byte
	back chan *[]byte
	done chan error
	at   int64 // where the next buffer goes
}

func newOutput(fs vfs.FS, name string, direct bool) (*output, error) {
	f, err := fs.Create(name, vfs.OpenOptions{Direct: direct})
	if err != nil && direct && !errors.Is(err, vfs.ErrExist) {
		direct = false
		f, err = fs.Create(name, vfs.OpenOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("sstable: create: %w", err)
	}
	return &output{fs: fs, name: name, file: f, direct: direct, buf: buffers.Get().(*[]byte)}, nil
}

// write takes p.
func (o *output) write(p []byte) error {
	for len(p) > 0 {
		n := copy((*o.buf)[o.n:], p)
		o.n += n
		o.off += int64(n)
		p = p[n:]
		if o.n == len(*o.buf) {
			if err := o.hand(); err != nil {
				return err
			}
		}
	}
	return nil
}

// hand gives the full buffer to the goroutine and takes the other one.
func (o *output) hand() error {
	if o.work == nil {
		o.work, o.back, o.done = make(chan *[]byte), make(chan *[]byte, 2), make(chan error, 1)
		o.back <- buffers.Get().(*[]byte)
		go o.run()
	}
	select {
	case o.work <- o.buf:
	case err := <-o.done:
		o.work = nil
		return o.fail(err)
	}
	o.buf, o.n = <-o.back, 0
	return nil
}

func (o *output) fail(err error) error {
	return fmt.Errorf("sstable: write: %w", err)
}

func (o *output) run() {
	for b := range o.work {
		if err := o.put(*b); err != nil {
			o.back <- b
			o.done <- err
			return
		}
		o.back <- b
	}
	o.done <- nil
}

// put writes b at the end. A file system may take O_DIRECT at the open and
// refuse the first write; the file is then opened again without.
func (o *output) put(b []byte) error {
	_, err := o.file.WriteAt(b, o.at)
	if err != nil && o.direct && o.at == 0 {
		f, openErr := o.fs.OpenRW(o.name, vfs.OpenOptions{})
		if openErr != nil {
			return err
		}
		if closeErr := o.file.Close(); closeErr != nil {
			return errors.Join(err, closeErr, f.Close())
		}
		o.file, o.direct = f, false
		_, err = o.file.WriteAt(b, 0)
	}
	o.at += int64(len(b))
	return err
}

// stop ends the goroutine and returns its error.
func (o *output) stop() error {
	if o.work == nil {
		return nil
	}
	close(o.work)
	o.work = nil
	err := <-o.done
	buffers.Put(<-o.back)
	return err
}

// finish writes what is left, a multiple of a page, syncs and closes.
func (o *output) finish() error {
	err := o.stop()
	if err == nil && o.n > 0 {
		err = o.put((*o.buf)[:o.n])
	}
	if err == nil {
		err = o.file.SyncData()
	}
	if cerr := o.file.Close(); err == nil {
		err = cerr
	}
	buffers.Put(o.buf)
	o.buf = nil
	if err != nil {
		return o.fail(err)
	}
	return nil
}

// abort closes and removes the file.
func (o *output) abort() error {
	err := errors.Join(o.stop(), o.file.Close())
	buffers.Put(o.buf)
	o.buf = nil
	return errors.Join(err, o.fs.Remove(o.name))
}
