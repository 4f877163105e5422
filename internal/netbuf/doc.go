// Package netbuf reads a connection's input in chunks that requests alias: no
// byte of a request is copied, and a connection without input holds no buffer.
// Both protocols for clients and the one between nodes read by it. A Writer sends
// buffers as they are, gathered.
//
//	in.Open(nc, netbuf.Config{Size: 16 << 10, Account: account, InFlight: &inflight})
//	for {
//		if _, err := in.Fill(); err != nil {
//			break
//		}
//		for {
//			b := in.Bytes()
//			size, ok := wholeFrame(b)
//			if !ok {
//				in.Want(size)
//				break
//			}
//			chunk := in.Take(size)
//			chunk.Retain() // until the request in b[:size] is answered
//		}
//	}
//	in.Release()
//
// # Chunks
//
//	┌─ taken, aliased by requests ─┬─ Bytes ──────────────┬─ free ──┐
//	0                              r                      w    len(B)
//
// Frames are found one behind the other in a chunk of the usual size. A frame
// that does not fit is copied to the front, if nobody aliases the chunk, or to
// a larger one; that grows with what has come and never by what a length
// promises. Whoever drops a chunk's last reference gives it back to a pool, by
// size, and takes its bytes off the account that was charged for them.
//
// # Waiting
//
// On a socket the reader waits for it to be readable, and takes a chunk only
// then. The chunk in use is let go of before, but while requests alias it it is
// only set aside, to be filled up if more comes before they are answered: else
// each lone request would hold a whole chunk. Where there is no socket it waits
// with 64 bytes of its own. A Gate can make it wait for memory, too.
//
// # System calls
//
// On Linux the socket is read and written without a word to Go's scheduler. The
// calls cannot wait, and a lone request would wake the scheduler's monitor with
// each of them, which costs several times the call.
//
// # Concurrency
//
// A Reader belongs to the goroutine that reads, but for DropParked; a Writer to
// one goroutine at a time. A Chunk's methods are safe for concurrent use, its
// bytes are written by the reader alone, behind what was taken.
package netbuf
