// Package godriver does for the Go drivers that we use what they do not do
// themselves.
package godriver
