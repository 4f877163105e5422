//go:build nextlevel

package level

// Highest is the newest level that this version reads and writes.
const Highest = Origins
