// Package proctest tries the real `ilion serve` as a process: it is killed
// under load, its disk loses power or fills up, it is started and stopped by
// signals, and every limit on what clients may ask of it is reached, with an
// eye on the memory of the process.
//
// It holds tests only, under the build tags "clients" (small sizes, part of
// `make check`) and "long" (full size). Power cuts and full disks need root,
// because they mount ext4 file systems on loop devices: without it those tests
// say so in one line and pass, except where the variable CI is set.
//
// A power cut is SIGKILL, then the file system's own shutdown without a flush
// of its journal, then a new mount: what was in the page cache only is gone,
// which a negative control proves.
//
// No test judges a time. Figures of time and memory are written to the log.
package proctest
