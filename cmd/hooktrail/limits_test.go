package main

import (
	"math"
	"runtime/debug"
	"testing"
)

// TestHeldBytes: what requests may hold follows the limit of memory. No other test sets it.
func TestHeldBytes(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	for limit, want := range map[int64]int{math.MaxInt64: 0, 4 << 30: 512 << 20, 256 << 20: 64 << 20} {
		debug.SetMemoryLimit(limit)
		if got := heldBytes(); got != want {
			t.Errorf("of a limit of %d bytes requests may hold %d, want %d", limit, got, want)
		}
	}
}
