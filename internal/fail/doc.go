// Package fail holds named fail points. A point does nothing unless the
// program was built with the tag "failpoints"; then the environment of the
// process arms it by name with an error, a delay or its end.
//
// A point is named package/what, for example "commitlog/sync".
package fail
