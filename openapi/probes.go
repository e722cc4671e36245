package openapi

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// What one endpoint's callers may have this process send on demand, handshakes and tests together.
const (
	probeBurst = 10
	probeEvery = 6 * time.Second // one more
)

// maxProbed bounds the endpoints remembered; past it those that have their whole burst again are forgotten.
const maxProbed = 10_000

// probes bounds the requests that callers have the server send at once: without it a key would be a tool against
// others. It is safe for concurrent use.
type probes struct {
	mu   sync.Mutex // guards all below
	open map[domain.UUID]struct{}
	full map[domain.UUID]time.Time // when an endpoint has its whole burst again
}

func newProbes() *probes {
	return &probes{open: make(map[domain.UUID]struct{}), full: make(map[domain.UUID]time.Time)}
}

// take counts one more request to an endpoint, or refuses it.
func (p *probes) take(endpoint domain.UUID, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	full := p.full[endpoint]
	if full.Before(now) {
		full = now
	}
	wait := full.Add(probeEvery).Sub(now) - probeBurst*probeEvery
	if wait > 0 {
		refused := rest.Refuse(http.StatusTooManyRequests, "rate_limited",
			"The endpoint was asked or tested too often recently. Try again later.")
		refused.Header = http.Header{"Retry-After": {strconv.Itoa(int(wait/time.Second) + 1)}}
		return refused
	}
	if len(p.full) >= maxProbed {
		p.forget(now)
	}
	p.full[endpoint] = full.Add(probeEvery)
	return nil
}

// forget needs mu held.
func (p *probes) forget(now time.Time) {
	for endpoint, full := range p.full {
		if full.Before(now) {
			delete(p.full, endpoint)
		}
	}
}

// enter lets one handshake of an endpoint be under way, until leave is called.
func (p *probes) enter(endpoint domain.UUID) (leave func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, taken := p.open[endpoint]; taken {
		return nil, rest.Refuse(http.StatusConflict, "handshake_in_progress",
			"A handshake of this endpoint is under way. Wait for its end.")
	}
	p.open[endpoint] = struct{}{}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, endpoint)
	}, nil
}
