package domain

import (
	"bytes"
	"slices"
)

// sameContent reports whether two facts of a kind would become the same entry.
func sameContent(a, b Fact) bool {
	before, err := EncodeFact(a)
	if err != nil {
		return false
	}
	after, err := EncodeFact(b)
	return err == nil && slices.EqualFunc(before, after, func(x, y Part) bool {
		return x.Name == y.Name && bytes.Equal(x.Bytes, y.Bytes)
	})
}
