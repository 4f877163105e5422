package cql

import "strings"

// IsReserved reports whether name, in lower case, is a word that CQL does not accept as a bare name.
func IsReserved(name string) bool {
	return reservedWords[strings.ToUpper(name)]
}

var reservedWords = map[string]bool{}

// IsNativeType reports whether name, in lower case, is a built-in type.
func IsNativeType(name string) bool {
	switch name {
	case "ascii", "bigint", "blob", "boolean", "counter", "date", "decimal", "double", "duration", "float", "inet", "int",
		"smallint", "text", "time", "timestamp", "timeuuid", "tinyint", "uuid", "varchar", "varint":
		return true
	}
	return false
}
