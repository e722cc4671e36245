package main

import (
	"slices"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// Every former owner of a data directory has ended, not only the last one.
func TestNewNode_displaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var former []domain.UUID
	for range keptNodes + 3 {
		n, err := newNode(dir)
		if err != nil {
			t.Fatal(err)
		}
		if want := former[:min(len(former), keptNodes)]; !slices.Equal(n.displaced, want) {
			t.Fatalf("after %d owners %d are displaced, want %d, the newest first", len(former), len(n.displaced), len(want))
		}
		if _, err := newNode(dir); err == nil {
			t.Fatal("two nodes own a directory")
		}
		former = slices.Insert(former, 0, n.id)
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
