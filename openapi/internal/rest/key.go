package rest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// keyPrefix begins the keys that the product makes, so that one that leaked can be recognised.
const keyPrefix = "ht_"

// NewKey makes an API key of 256 random bits. It is a secret, shown once and kept nowhere.
func NewKey() string {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // crypto/rand.Read never fails (it aborts the program)
	return keyPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
}

// HashKey is what the log keeps of an API key: its SHA-256. Keys have 256 random bits (or are the operator's own), so
// nothing slower is needed, and finding a key by its hash takes the same time whatever was sent.
func HashKey(key string) [sha256.Size]byte { return sha256.Sum256([]byte(key)) }
