//go:build !race

package domain_test

import (
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// The race detector makes pools forget at random, so this isn't built with it.
func TestCheckJSON_Allocations(t *testing.T) {
	usual := []byte(usualJSON)
	if n := testing.AllocsPerRun(100, func() { _ = domain.CheckJSON("data", usual) }); n != 0 {
		t.Errorf("a usual object costs %v allocations, want none", n)
	}
}
