// Package sstable writes and reads tables: immutable sorted files.
package sstable
