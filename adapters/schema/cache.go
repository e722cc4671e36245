package schema

import (
	"crypto/sha256"
	"sync"
)

const (
	// generation is how many schemas are kept before the older half may go, generationBytes how long their documents are
	// together. A compiled schema takes some 16 times its document, 100 times if it is all brackets.
	generation      = 512
	generationBytes = 512 << 10
)

// Cache compiles schemas and keeps the last 512 to 1024 of them, fewer if they are long. The zero value is ready. It is
// safe for concurrent use.
type Cache struct {
	mu           sync.Mutex
	recent, past map[[sha256.Size]byte]*Schema // by digest of the document
	bytes        int                           // of the documents in recent
}

// Compile is as the package's Compile. What is refused is not kept.
func (c *Cache) Compile(document []byte) (*Schema, error) {
	key := sha256.Sum256(document)
	if s := c.find(key, len(document)); s != nil {
		return s, nil
	}
	s, err := Compile(document)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(key, len(document), s)
	return s, nil
}

func (c *Cache) find(key [sha256.Size]byte, length int) *Schema {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.recent[key]; s != nil {
		return s
	}
	s := c.past[key]
	if s != nil {
		c.keep(key, length, s)
	}
	return s
}

// keep wants the lock.
func (c *Cache) keep(key [sha256.Size]byte, length int, s *Schema) {
	if c.recent[key] != nil {
		return
	}
	if c.recent == nil || len(c.recent) >= generation || c.bytes+length > generationBytes {
		c.recent, c.past, c.bytes = make(map[[sha256.Size]byte]*Schema), c.recent, 0
	}
	c.recent[key] = s
	c.bytes += length
}
