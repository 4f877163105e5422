// Package cql turns CQL text into a syntax tree.
package cql
