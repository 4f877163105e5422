// Package session serves clients of the CQL binary protocol.
package session
