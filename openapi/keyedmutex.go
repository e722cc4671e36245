package openapi

import (
	"context"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

// keyedMutex serialises the uses of one registration in this process: a mutex per key. Each use expects the version of
// the one before, so concurrent uses would conflict in the log and be decided again; with n waiters that is O(n²)
// decisions. Between processes the log alone decides. It is safe for concurrent use.
type keyedMutex struct {
	mu    sync.Mutex // guards locks
	locks map[domain.UUID]*keyLock
}

// keyLock is the mutex of one key.
type keyLock struct {
	free  chan struct{} // holds one value while the lock is free
	users int           // those who hold it or wait for it; guarded by keyedMutex.mu
}

func newKeyedMutex() *keyedMutex { return &keyedMutex{locks: make(map[domain.UUID]*keyLock)} }

// lock waits for the lock of a key and holds it until unlock is called.
func (m *keyedMutex) lock(ctx context.Context, key domain.UUID) (unlock func(), err error) {
	m.mu.Lock()
	l := m.locks[key]
	if l == nil {
		l = &keyLock{free: make(chan struct{}, 1)}
		l.free <- struct{}{}
		m.locks[key] = l
	}
	l.users++
	m.mu.Unlock()
	select {
	case <-l.free:
		return func() { l.free <- struct{}{}; m.leave(key, l) }, nil
	case <-ctx.Done():
		m.leave(key, l)
		return nil, ctx.Err()
	}
}

// leave forgets a lock that nobody uses any more.
func (m *keyedMutex) leave(key domain.UUID, l *keyLock) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(m.locks, key)
	}
}
