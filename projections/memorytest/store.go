package memorytest

import (
	"context"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// PutTenant implements Store.
func (m *Memory) PutTenant(row projections.Tenant) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tenant(row.ID)
	if len(t.versions) > 0 {
		row.Created = t.versions[0].Created
	}
	t.versions = append(t.versions, row)
	return nil
}

// PutKey implements Store.
func (m *Memory) PutKey(row projections.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := &m.tenant(row.Tenant).keys
	if last := keys.last(row.ID); last != nil {
		row.Created = last.Created
	}
	keys.add(row.ID, row)
	return nil
}

// PutEndpoint implements Store.
func (m *Memory) PutEndpoint(row projections.Endpoint) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	endpoints := &m.tenant(row.Tenant).endpoints
	if last := endpoints.last(row.ID); last != nil {
		row.Created = last.Created
	}
	endpoints.add(row.ID, row)
	return nil
}

// PutSubscription implements Store.
func (m *Memory) PutSubscription(row projections.Subscription) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	subscriptions := &m.tenant(row.Tenant).subscriptions
	if last := subscriptions.last(row.ID); last != nil {
		row.Created = last.Created
	}
	subscriptions.add(row.ID, row)
	return nil
}

// PutEventType implements Store.
func (m *Memory) PutEventType(row projections.EventType) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	types := &m.tenant(row.Tenant).eventTypes
	if last := types.last(row.ID); last != nil {
		row.Created = last.Created
	}
	types.add(row.ID, row)
	return nil
}

// PutProfile implements Store: no read of the views shows profiles.
func (m *Memory) PutProfile(projections.Profile) error { return nil }

// PutSkips implements Store.
func (m *Memory) PutSkips(row projections.Skips) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tenant(row.Tenant)
	t.skips = append(t.skips, row)
	return nil
}

// PutEvent implements Store.
func (m *Memory) PutEvent(row projections.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tenant(row.Tenant)
	t.events.add(row.ID, row)
	if !row.Erased && !row.Damaged {
		t.byProducer[producerID{row.Attrs.Source, row.Attrs.ID}] = row.ID
	}
	return nil
}

// PutDelivery implements Store.
func (m *Memory) PutDelivery(row projections.Delivery, first *domain.AttemptStarted) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tenant(row.Tenant)
	t.deliveries.add(row.ID, row)
	attempts := projections.AttemptsOf(&row, first)
	t.attempts[row.ID] = &attempts
	return nil
}

// FoldDelivery implements Store.
func (m *Memory) FoldDelivery(e *domain.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tenant(e.Tenant)
	last := t.deliveries.last(e.Stream.ID)
	if last == nil {
		return fmt.Errorf("delivery %s: %w", e.Stream.ID, domain.ErrNotFound)
	}
	row := *last
	of, adds, err := row.FoldOf(e)
	if err != nil {
		return err
	}
	if replay := t.replays.last(of); replay != nil {
		replay := *replay
		replay.Results.Add(adds)
		replay.folded = projections.OriginOf(*e)
		t.replays.add(of, replay)
	}
	t.deliveries.add(row.ID, row)
	t.attempts[row.ID].Fold(e)
	if f, ok := e.Fact.(*domain.AttemptFinished); ok {
		t.recordHealth(row.Endpoint, f.Result.Outcome, projections.OriginOf(*e))
	}
	return nil
}

// FoldReplay implements Store.
func (m *Memory) FoldReplay(e *domain.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tenant(e.Tenant)
	var row replayState
	if last := t.replays.last(e.Stream.ID); last != nil {
		row = *last
	}
	if err := row.Fold(e); err != nil {
		return err
	}
	row.folded = projections.OriginOf(*e)
	t.replays.add(row.ID, row)
	return nil
}

// ActiveReplays returns the replays of all tenants that are to go on.
func (m *Memory) ActiveReplays(context.Context) (active []projections.Replay, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, t := range m.tenants {
		for _, h := range t.replays.order {
			if row := t.replays.last(h.id); row.Status.Active() {
				active = append(active, row.Replay)
			}
		}
	}
	return active, nil
}

// Lost implements Store.
func (m *Memory) Lost(tenant domain.TenantID, event domain.Sequence) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := event - 1
	rows := m.tenant(tenant).events.page(projections.Page{After: &before, Limit: 1}, event, func(*projections.Event) bool { return true })
	return len(rows) == 1 && rows[0].Created.Sequence == event && rows[0].LostRouting(), nil
}

// recordHealth notes the outcome of an attempt at an endpoint.
func (t *memoryTenant) recordHealth(endpoint domain.UUID, outcome domain.AttemptOutcome, at projections.Origin) {
	states := t.health[endpoint]
	var before domain.Health
	if len(states) > 0 {
		before = states[len(states)-1].Health
	}
	t.health[endpoint] = append(states, healthState{before.After(outcome, at.RecordedAt), at.Sequence})
}

// Advance implements Store.
func (m *Memory) Advance(tenant domain.TenantID, at projections.Origin) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tenant(tenant)
	if at.Position != m.cursor+1 || at.Sequence != domain.Sequence(len(t.recorded)) {
		return fmt.Errorf("position %d doesn't follow %d, or sequence %d of %s isn't the next", at.Position, m.cursor, at.Sequence, tenant)
	}
	t.recorded = append(t.recorded, at.RecordedAt)
	m.cursor = at.Position
	close(m.moved)
	m.moved = make(chan struct{})
	return nil
}
