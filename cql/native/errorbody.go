package native

// forVersion is e as a client of an older version can understand it.
func (e *Error) forVersion(version uint8) (code ErrorCode) {
	code = e.Code
	if version < V5 && code == CodeCASWriteUnknown {
		code = CodeWriteTimeout
	}
	if version >= V4 {
		return code
	}
	switch code {
	case CodeReadFailure:
		return CodeReadTimeout
	case CodeWriteFailure:
		return CodeWriteTimeout
	case CodeFunctionFailure, CodeCDCWriteFailure:
		return CodeInvalid
	}
	return code
}

// AppendError appends the body of ERROR.
func AppendError(dst []byte, version uint8, e *Error) []byte {
	code := e.forVersion(version)
	dst = appendU32(dst, uint32(code))
	dst = AppendString(dst, e.Msg)
	switch code {
	case CodeUnavailable:
		dst = appendU16(dst, uint16(e.Consistency))
		dst = appendI32(dst, e.Required)
		return appendI32(dst, e.Received)
	case CodeWriteTimeout, CodeReadTimeout, CodeReadFailure, CodeWriteFailure, CodeCASWriteUnknown:
		return e.appendReplies(dst, version, code)
	case CodeFunctionFailure:
		dst = AppendString(dst, e.Keyspace)
		dst = AppendString(dst, e.Name)
		return appendStringList(dst, e.ArgTypes)
	case CodeAlreadyExists:
		dst = AppendString(dst, e.Keyspace)
		return AppendString(dst, e.Name)
	case CodeUnprepared:
		return appendShortBytes(dst, e.ID[:])
	}
	return dst
}

// appendReplies appends what errors about too few answers carry.
func (e *Error) appendReplies(dst []byte, version uint8, code ErrorCode) []byte {
	dst = appendU16(dst, uint16(e.Consistency))
	dst = appendI32(dst, e.Received)
	dst = appendI32(dst, e.Required)
	if code == CodeReadFailure || code == CodeWriteFailure {
		dst = e.appendReasons(dst, version)
	}
	switch code {
	case CodeReadTimeout, CodeReadFailure:
		if e.DataPresent {
			return append(dst, 1)
		}
		return append(dst, 0)
	case CodeWriteTimeout, CodeWriteFailure:
		typ := e.WriteType
		if e.Code == CodeCASWriteUnknown {
			typ = WriteCAS
		}
		dst = AppendString(dst, string(typ))
		if code == CodeWriteTimeout && typ == WriteCAS && version >= V5 {
			dst = appendU16(dst, e.Contentions)
		}
	}
	return dst
}

func (e *Error) appendReasons(dst []byte, version uint8) []byte {
	if version < V5 {
		return appendI32(dst, max(e.NumFailures, int32(len(e.Reasons))))
	}
	dst = appendI32(dst, int32(len(e.Reasons)))
	for _, r := range e.Reasons {
		dst = appendInetAddr(dst, r.Addr)
		dst = appendU16(dst, r.Code)
	}
	return dst
}
