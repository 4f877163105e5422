// Package fail holds named fail points. A point does nothing unless the
// program was built with the tag "failpoints"; then a test arms it by name
// with an error, a delay or a function. Simulation and black-box tests use the
// same names.
//
// A point is named package/what, for example "commitlog/sync".
package fail
