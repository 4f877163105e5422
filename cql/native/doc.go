// Package native encodes and decodes the CQL binary protocol.
package native
