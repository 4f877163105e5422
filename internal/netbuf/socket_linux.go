//go:build !race

package netbuf

import (
	"syscall"
	"unsafe"
)

// readSocket reads from a socket that does not block, at most maxCopy bytes. It
// answers EAGAIN if there is nothing, and 0 at the end.
//
// The scheduler is not told of the call, as package syscall would: the call
// cannot wait, and once the process idles between requests, telling costs more
// than the call, since each time the scheduler's sleeping monitor is woken.
func readSocket(fd uintptr, p []byte) (int, error) {
	p = p[:min(len(p), maxCopy)]
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// writeSocket writes what it can of the parts, in turn, under the same
// conditions, up to maxCopy bytes. vec is room for their addresses, which is
// reused.
func writeSocket(fd uintptr, parts [][]byte, vec *[]syscall.Iovec) (int, error) {
	v, left := (*vec)[:0], maxCopy
	for _, p := range parts[:min(len(parts), maxVec)] {
		p = p[:min(len(p), left)]
		v = append(v, syscall.Iovec{Base: unsafe.SliceData(p)})
		v[len(v)-1].SetLen(len(p))
		if left -= len(p); left == 0 {
			break
		}
	}
	*vec = v
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(unsafe.SliceData(v))), uintptr(len(v)))
	clear(v)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

const (
	// maxVec is how many parts Linux takes at a time.
	maxVec = 1024
	// maxCopy is how many bytes one call may copy, since nothing can interrupt
	// it: some 50 us of them.
	maxCopy = 256 << 10
)
