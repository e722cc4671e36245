package dispatch

import (
	"context"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

// progress is the position up to which the feed has folded the log. It moves after the lanes have changed: who reads
// it, looks at the lanes and then waits for it to move on misses nothing. Safe for concurrent use.
type progress struct {
	mu       sync.Mutex // guards all below; nothing else is locked while it is held
	position domain.Position
	moved    chan struct{} // closed when position moves, if somebody waits; else nil
}

// at returns the position.
func (p *progress) at() domain.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.position
}

// advance moves the position and wakes those who wait. Only the feed calls it.
func (p *progress) advance(to domain.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.position = to
	if p.moved != nil {
		close(p.moved)
		p.moved = nil
	}
}

// await returns when the feed has got beyond a position, or with ctx's error.
func (p *progress) await(ctx context.Context, beyond domain.Position) error {
	for {
		moved := p.beyond(beyond)
		if moved == nil {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// beyond returns nil when the feed is beyond a position, else what is closed when it moves.
func (p *progress) beyond(position domain.Position) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.position > position {
		return nil
	}
	if p.moved == nil {
		p.moved = make(chan struct{})
	}
	return p.moved
}
