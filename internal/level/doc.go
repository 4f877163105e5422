// Package level names the format levels. Every format that outlives a process
// or crosses to another one (records, table files, logs, hints, bodies between
// nodes) belongs to a level, and a level never changes once a release has
// written it. A node reads all levels from Lowest to Highest and writes the one
// that its cluster has agreed on.
//
// A new field or section gets a new level: a constant here, and Highest raised
// to it. A build with the tag "nextlevel" is one level ahead of a plain one: it
// stands for the next release in tests of clusters of two versions.
package level
