// Package clock is the seam for time. Everything but this package takes a
// Clock and never calls the package time for the present, a sleep or a timer,
// so that a test can skew one node's wall clock or step time by hand.
package clock
