package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// snapshots are the tenants' configurations as the feed has folded them, to route by. Reading them never
// waits for the lanes. Safe for concurrent use.
type snapshots struct {
	mu       sync.RWMutex // guards all below; nothing else is locked while it is held
	loaded   bool
	failed   error // why the configuration isn't folded any more
	byTenant map[domain.TenantID]*projections.Snapshot
	changed  chan struct{} // closed and replaced whenever anything above changes
}

func newSnapshots() *snapshots {
	return &snapshots{byTenant: make(map[domain.TenantID]*projections.Snapshot), changed: make(chan struct{})}
}

// publish offers newer configurations of some tenants.
func (s *snapshots) publish(newer []*projections.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range newer {
		s.byTenant[c.ID()] = c
	}
	s.loaded = true
	s.announce()
}

// fail has routing refused from now on, with a reason.
func (s *snapshots) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
	s.announce()
}

// announce wakes all who wait; mu is held.
func (s *snapshots) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// get returns a tenant's configuration, nil for a tenant of which nothing is known yet. It fails with
// domain.ErrUnavailable, and says why, when there is no configuration to go by.
func (s *snapshots) get(tenant domain.TenantID) (c *projections.Snapshot, changed <-chan struct{}, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.failed != nil:
		err = &unroutableError{s.failed}
	case !s.loaded:
		err = &unroutableError{errNotLoaded}
	}
	return s.byTenant[tenant], s.changed, err
}

// await returns when a tenant's configuration is another than one that get returned, when none can come any more, or
// when ctx ends.
func (s *snapshots) await(ctx context.Context, tenant domain.TenantID, known *projections.Snapshot) {
	for {
		c, changed, err := s.get(tenant)
		if c != known || err != nil && !errors.Is(err, errNotLoaded) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

var errNotLoaded = errors.New("the configuration isn't loaded yet")

// unroutableError says why events can't be routed by this process, and so not be appended.
type unroutableError struct{ reason error }

// Error implements error.
func (e *unroutableError) Error() string {
	return fmt.Sprintf("%v: events can't be routed: %v", domain.ErrUnavailable, e.reason)
}

// Is reports whether it is to be treated like another error.
func (e *unroutableError) Is(target error) bool { return target == domain.ErrUnavailable }

// Unwrap returns why.
func (e *unroutableError) Unwrap() error { return e.reason }

// unroutable reports whether an append failed only since it appends an event, which can't be routed for now.
func unroutable(err error) bool {
	var unroutable *unroutableError
	return errors.As(err, &unroutable)
}
