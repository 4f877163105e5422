//go:build unix && (!linux || race)

package netbuf

import "syscall"

// readSocket reads from a socket that does not block. It answers EAGAIN if
// there is nothing, and 0 at the end. Package syscall tells the race detector of
// the bytes.
func readSocket(fd uintptr, p []byte) (int, error) {
	n, err := syscall.Read(int(fd), p)
	return max(n, 0), err
}

// writeSocket writes what it can of the first part.
func writeSocket(fd uintptr, parts [][]byte, _ *[]syscall.Iovec) (int, error) {
	n, err := syscall.Write(int(fd), parts[0])
	return max(n, 0), err
}
