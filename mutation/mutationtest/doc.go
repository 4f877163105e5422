// Package mutationtest holds what tests of data need: a dumb model of what
// records mean, a source of rows made from it, a generator of records that
// collide as much as possible, and dumps of sources as text to compare.
//
// The model shares no code with the reconciliation that it judges. It keeps
// every part of every row apart and compares each with every deletion.
package mutationtest
