package filter

import (
	"runtime"
	"sync"
	"weak"
)

// lazy is an expression that is compiled when it is first needed.
type lazy struct {
	src     string
	once    sync.Once
	program *program
	err     error
}

// shared finds the lazy expressions that somebody holds, by their text.
type shared struct {
	mu   sync.Mutex
	held map[string]weak.Pointer[lazy]
}

func (s *shared) of(src string) *lazy {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.held[src].Value(); l != nil {
		return l
	}
	l := &lazy{src: src}
	if s.held == nil {
		s.held = make(map[string]weak.Pointer[lazy])
	}
	s.held[src] = weak.Make(l)
	runtime.AddCleanup(l, s.forget, src)
	return l
}

// forget drops an expression that is no longer referenced, unless it was asked for again since.
func (s *shared) forget(src string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[src].Value() == nil {
		delete(s.held, src)
	}
}
