// Package config is what a node can be told: one struct with defaults, filled
// from flags, ILION_... environment variables and a strict YAML file, in that
// order of precedence. It reads no file and no environment by itself: callers
// hand it the bytes and a lookup function.
package config
