// Package exec turns streams of stored rows into pages of results: liveness,
// static rows, filters, limits, functions, aggregates, and the place where the
// next page begins.
//
// # Use
//
//	rd := exec.NewReader(macKey)             // pooled, one per read in flight
//	err := sel.Bind(q, values, &options)     // package plan
//	err = rd.Resume(q, pagingState)          // always; nil state starts anew
//	if sel.Table.Virtual {
//	    dst, res, err = rd.PageVirtual(q, rows, dst)
//	} else if q.Empty {
//	    dst, res, err = rd.Page(q, nil, dst)
//	} else {
//	    src, err := cluster.TryRead(&q.Command, level) // or Read
//	    dst, res, err = rd.Page(q, src, dst)
//	    src.Close()                          // results never alias it
//	}
//
// Page appends the values of res.Rows rows as the native protocol has them
// (each an i32 length and bytes), to be put behind native.AppendRowsHead, which
// wants res.PagingState. It may be called again with another source after
// mutation.ErrWouldBlock. Cursor walks such rows for callers that want values.
//
// A page of a paged query ends at the page size, at a number of result bytes,
// at a number of bytes read, or at a number of tombstones: rows that are deleted,
// expired or filtered out count, so a page may be short, even empty, and still
// not be the last. Without pages so many tombstones are an error.
//
// # Paging state
//
// Integers are little-endian, "varint" is LEB128.
//
//	u8      version (1)
//	u8      flags: 1 partition done, 2 partition has had a live row, 4 virtual table
//	16      table id
//	u64     fingerprint of the statement
//	u32     rows that LIMIT still allows, 0 without LIMIT
//	u32     rows that PER PARTITION LIMIT still allows in this partition
//	u64     rows passed (virtual table)
//	i64     token of the partition
//	varint  length; partition key
//	varint  length; clustering of the last row passed, empty for none
//	16      HMAC-SHA256 of the above, cut
//
// Who does not know the key, which is the cluster's, cannot make or change one.
//
// # Concurrency
//
// A Reader belongs to one goroutine at a time. The package does no I/O but
// through the source, starts no goroutine and reads no clock.
package exec
