package openapi

import (
	"crypto/sha256"

	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// MinImportedKey is the least length of a key that isn't made here, in characters.
const MinImportedKey = 32

// NewKey makes an API key of 256 random bits. It is a secret, shown once and kept nowhere.
func NewKey() string { return rest.NewKey() }

// HashKey is what the log keeps of an API key: its SHA-256.
func HashKey(key string) [sha256.Size]byte { return rest.HashKey(key) }
