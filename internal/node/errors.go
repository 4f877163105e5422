package node

import (
	"errors"

	"github.com/ilion-db/ilion/internal/query"
	"github.com/ilion-db/ilion/wire"
)

// wireCode is what an error of the store means to another node.
func wireCode(err error) wire.Code {
	switch classify(err) {
	case query.ClassDiskFull:
		return wire.CodeDiskFull
	case query.ClassCorrupt:
		return wire.CodeCorrupt
	case query.ClassUnknownTable:
		return wire.CodeUnknownTable
	case query.ClassTooLarge:
		return wire.CodeInvalid
	}
	var e *wire.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return wire.CodeFailed
}
