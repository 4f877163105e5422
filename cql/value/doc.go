// Package value turns Go values into values of CQL types and back, as programs
// that embed the database and clients do.
//
//	v, err := value.Encode(schema.TypeInt, 7)
//	err = value.Scan(schema.TypeInt, v.Bytes, &i)
//
// Every function is pure. Hostile bytes are met by schema.Type.Validate before:
// Decode and Scan want values that are valid for their type.
package value
