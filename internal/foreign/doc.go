// Package foreign is what the tests of real processes share. It installs the
// drivers of other languages that they use, at pinned versions and from their
// own registries, into a cache that lasts from one run to the next, and gives
// servers their ports.
package foreign
