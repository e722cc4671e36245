package dispatch

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

// contentOverhead is what an event costs in memory beside its data, roughly.
const contentOverhead = 1024

// contents keeps the newest events in memory, up to a number of bytes, and reads others from the log. Safe for
// concurrent use.
type contents struct {
	log    domain.Log
	logger *slog.Logger
	paging chan struct{} // held while a page is read: one at a time bounds its memory, and others find their events in it

	bytes int // that may be kept

	mu    sync.Mutex // guards all below; nothing else is locked while it is held
	free  int        // bytes; negative only within put
	byKey map[contentKey]*list.Element
	order list.List // of *content, the one used last in front
}

type contentKey struct {
	tenant   domain.TenantID
	sequence domain.Sequence
}

type content struct {
	key   contentKey
	event *domain.LoggedEvent
}

func newContents(log domain.Log, bytes int, logger *slog.Logger) *contents {
	return &contents{log: log, logger: logger, paging: make(chan struct{}, 1), bytes: bytes, free: bytes, byKey: make(map[contentKey]*list.Element)}
}

var (
	// errErased: the event's content was destroyed.
	errErased = errors.New("the event was erased")
	// errUnreadable: the content can't be opened although it wasn't erased.
	errUnreadable = errors.New("the content can't be opened: check the key-encryption key")
)

// put keeps an event.
func (c *contents) put(tenant domain.TenantID, e *domain.LoggedEvent) {
	key := contentKey{tenant, e.Sequence}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[key]; ok {
		return
	}
	c.byKey[key] = c.order.PushFront(&content{key, e})
	c.free -= size(e)
	for c.free < 0 {
		c.remove(c.order.Back())
	}
}

// remove forgets an event; mu is held.
func (c *contents) remove(e *list.Element) {
	gone := c.order.Remove(e).(*content)
	delete(c.byKey, gone.key)
	c.free += size(gone.event)
}

// fetch returns an event, reading the log until it answers; nil for one that was erased. Where the event can't be read,
// broken says why. Its only error is ctx's. What ahead returns will be asked for next: if it lies close together, it is
// read with the event. nil: nothing is known.
func (c *contents) fetch(
	ctx context.Context, tenant domain.TenantID, sequence domain.Sequence, ahead func() []domain.Sequence,
) (_ *domain.LoggedEvent, broken, err error) {
	if e := c.peek(tenant, sequence); e != nil {
		return e, nil, nil
	}
	var e *domain.LoggedEvent
	var unreadable error
	err = persist(ctx, c.logger, "read an event to send", func() (err error) {
		e, err = c.getPage(ctx, tenant, sequence, ahead)
		switch {
		case errors.Is(err, errErased):
			return nil
		case errors.Is(err, errUnreadable):
			unreadable = err
			return nil
		}
		return err
	})
	return e, unreadable, err
}

// forget drops every event whose personal parts a key seals, since that was destroyed.
func (c *contents) forget(subject domain.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.order.Front(); e != nil; {
		next := e.Next()
		if e.Value.(*content).event.SubjectKey == subject {
			c.remove(e)
		}
		e = next
	}
}

// peek returns an event if it is in memory, else nil.
func (c *contents) peek(tenant domain.TenantID, sequence domain.Sequence) *domain.LoggedEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.byKey[contentKey{tenant, sequence}]
	if !ok {
		return nil
	}
	c.order.MoveToFront(found)
	return found.Value.(*content).event
}

const (
	// contentPage is how many events are read at once at most.
	contentPage = 64
	// contentSpread is how many entries a page may cover for each event that is wanted.
	contentSpread = 8
)

// getPage is get, with events that will be asked for next.
func (c *contents) getPage(
	ctx context.Context, tenant domain.TenantID, sequence domain.Sequence, ahead func() []domain.Sequence,
) (*domain.LoggedEvent, error) {
	if ahead == nil || c.reach(tenant, sequence, ahead()) == sequence {
		return c.get(ctx, tenant, sequence, sequence)
	}
	select {
	case c.paging <- struct{}{}:
		defer func() { <-c.paging }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return c.get(ctx, tenant, sequence, c.reach(tenant, sequence, ahead()))
}

// reach returns the last of a run of sequences that begins with one that is to be read, in which few lie between those
// that are wanted and not in memory.
func (c *contents) reach(tenant domain.TenantID, first domain.Sequence, wanted []domain.Sequence) domain.Sequence {
	slices.Sort(wanted)
	last, n, most := first, domain.Sequence(1), c.pageSize()
	for _, sequence := range wanted {
		if sequence <= last || c.peek(tenant, sequence) != nil {
			continue
		}
		if n++; n > most || sequence-first >= n*contentSpread {
			break
		}
		last = sequence
	}
	return last
}

// pageSize is how many events a page may have: as many as take a quarter of the room, by the sizes of those in memory.
func (c *contents) pageSize() domain.Sequence {
	c.mu.Lock()
	defer c.mu.Unlock()
	typical := contentOverhead
	if n := c.order.Len(); n > 0 {
		typical = (c.bytes - c.free) / n
	}
	return domain.Sequence(min(contentPage, c.bytes/4/typical))
}

// get returns an event, from the log if need be; errErased when there is nothing left of it. It keeps those that are
// read with it, up to another one.
func (c *contents) get(ctx context.Context, tenant domain.TenantID, sequence, last domain.Sequence) (*domain.LoggedEvent, error) {
	if e := c.peek(tenant, sequence); e != nil {
		return e, nil
	}
	to := last + 1
	entries, err := domain.Select(ctx, c.log, domain.Query{
		Tenant: tenant, From: &sequence, To: &to, Kind: domain.KindEventAppended, Limit: contentPage,
	})
	if err != nil {
		return nil, fmt.Errorf("read event %d of tenant %s: %w", sequence, tenant, err)
	}
	for i := len(entries) - 1; i > 0; i-- { // the next ones in front
		if e := eventOf(&entries[i]); e != nil {
			c.put(tenant, e)
		}
	}
	if len(entries) == 0 || entries[0].Sequence != sequence {
		return nil, fmt.Errorf("read event %d of tenant %s: the log has no event there", sequence, tenant)
	}
	if entries[0].Erased {
		return nil, errErased
	}
	e := eventOf(&entries[0])
	if e == nil {
		return nil, fmt.Errorf("read event %d of tenant %s: %w", sequence, tenant, errUnreadable)
	}
	c.put(tenant, e)
	return e, nil
}

// eventOf returns the event of an event.appended, nil when its content can't be read or was erased.
func eventOf(e *domain.Entry) *domain.LoggedEvent {
	fact, ok := e.Fact.(*domain.EventAppended)
	if !ok || e.Erased {
		return nil
	}
	kept := *fact
	kept.Routing, kept.Verdicts = domain.Routing{}, domain.Verdicts{} // may be larger than the event, and nothing sent holds any of it
	return &domain.LoggedEvent{ID: e.Stream.ID, Sequence: e.Sequence, RecordedAt: e.RecordedAt, SubjectKey: e.SubjectKey, Fact: &kept}
}

func size(e *domain.LoggedEvent) int {
	size := len(e.Fact.Data) + contentOverhead
	for name, value := range e.Fact.Event.Extensions {
		size += len(name) + len(value.String()) + 64
	}
	return size
}
