package main

import (
	"slices"

	"github.com/hooktrail/hooktrail/adapters/webhook"
)

// names lists a set's profiles in alphabetical order.
func names(profiles *webhook.Profiles) []string {
	var names []string
	for _, p := range profiles.All() {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
