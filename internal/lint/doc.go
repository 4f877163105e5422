// Package lint holds the rules of this repository as tests; it has no code.
//
//   - layers_test.go: which package may import which, as one table, and how
//     many.
//   - seams_test.go: time, files, sockets, randomness and panics stay in the
//     packages that own them; pure packages start no goroutine.
//   - architecture_test.go: ARCHITECTURE.md and docs/locks.md name what exists.
//   - documents_test.go: docs/limits.md names tests that there are,
//     docs/testing.md all fuzz targets, docs/operations.md what is logged, and
//     docs/dependencies.md every module and who imports it; links lead
//     somewhere.
//   - names_test.go: what comments and documents name exists.
//   - style_test.go: every package says what it is, files and functions stay
//     short, tests do not sleep or skip.
//   - complexity_test.go: functions stay flat.
//
// A new package needs a row in the table of layers_test.go. An exception is an
// entry in the list of its rule, with the reason beside it; there is no way to
// switch a rule off in the code that breaks it.
package lint
