// Package vfs is the seam for files: the only package that touches them.
//
// OS is the operating system's file system. Mem is a file system in memory
// that knows what has been synced and yields crash images; Fault wraps any
// file system and fails chosen calls. Nothing else in the project imports os
// for data.
package vfs
