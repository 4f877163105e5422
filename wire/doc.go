// Package wire is our own binary protocol: frames and the bodies of messages,
// encode and decode only.
package wire
