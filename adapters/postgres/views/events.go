package views

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

const eventColumnsSQL = `id, tenant, position, sequence, recorded_at, data_size, whole, erased, damaged, leaf_hash, type`

func scanEvent(row pgx.CollectableRow) (e projections.Event, err error) {
	var id pgtype.UUID
	var hash []byte
	err = row.Scan(&id, &e.Tenant, &e.Created.Position, &e.Created.Sequence, &e.Created.RecordedAt,
		&e.DataSize, &e.Whole, &e.Erased, &e.Damaged, &hash, &e.Attrs.Type)
	e.ID, e.Created.RecordedAt = id.Bytes, e.Created.RecordedAt.UTC()
	copy(e.LeafHash[:], hash)
	return e, err
}

// eventReader reads the tables of events and of what their routings passed over. All that is personal is in the log.
type eventReader struct{ *tenantSnapshot }

// events reads rows and adds the events' attributes, which only the log has. What was erased since the fold is marked.
func (r eventReader) events(ctx context.Context, condition string, args ...any) ([]projections.Event, error) {
	sql := `SELECT ` + eventColumnsSQL + ` FROM events WHERE tenant = $1 AND ` + condition
	rows, err := r.tx.Query(ctx, sql, append([]any{string(r.tenant)}, args...)...)
	if err != nil {
		return nil, postgres.DomainError("read events", err)
	}
	events, err := pgx.CollectRows(rows, scanEvent)
	if err != nil || len(events) == 0 {
		return nil, postgres.DomainError("read events", err)
	}
	sequences := make([]domain.Sequence, len(events))
	for i := range events {
		sequences[i] = events[i].Created.Sequence
	}
	entries, err := r.log.Entries(ctx, r.tenant, sequences)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	bySequence := make(map[domain.Sequence]*domain.Entry, len(entries))
	for i := range entries {
		bySequence[entries[i].Sequence] = &entries[i]
	}
	for i := range events {
		e := &events[i]
		entry := bySequence[e.Created.Sequence]
		if entry == nil || entry.Stream.ID != e.ID {
			return nil, fmt.Errorf("event %s isn't in the log where the views have it (%w)", e.ID, errViewsApart)
		}
		e.Erased, e.Damaged = entry.Erased, entry.Damaged
		if f, ok := entry.Fact.(*domain.EventAppended); ok {
			e.Attrs = f.Event
		}
	}
	return events, nil
}

func (r eventReader) event(ctx context.Context, condition string, args ...any) (projections.Event, error) {
	events, err := r.events(ctx, condition, args...)
	if err == nil && len(events) == 0 {
		err = domain.ErrNotFound
	}
	if err != nil {
		return projections.Event{}, err
	}
	return events[0], nil
}

// Event implements projections.Reader. The log finds an entry by its stream.
func (r eventReader) Event(ctx context.Context, id domain.UUID) (projections.Event, error) {
	upTo := r.last + 1
	first, err := domain.Select(ctx, r.log, domain.Query{
		Tenant: r.tenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: id}, To: &upTo, Limit: 1, HeadersOnly: true,
	})
	if err != nil {
		return projections.Event{}, fmt.Errorf("find event %s: %w", id, err)
	}
	if len(first) == 0 {
		return projections.Event{}, domain.ErrNotFound
	}
	return r.EventBySequence(ctx, first[0].Sequence)
}

// EventByProducerID implements projections.Reader. An id that the producer chose was claimed with the append; any other
// is the event's internal one.
func (r eventReader) EventByProducerID(ctx context.Context, source, id string) (e projections.Event, err error) {
	claimed, err := r.log.Claimed(ctx, []domain.Claim{{Tenant: r.tenant, Scope: domain.ScopeEvent(source), Key: id}})
	switch {
	case err != nil:
		return e, fmt.Errorf("find an event by its producer's id: %w", err)
	case claimed[0] != nil:
		e, err = r.EventBySequence(ctx, claimed[0].Sequence)
	default:
		internal, malformed := domain.ParseUUID(id)
		if malformed != nil || internal.String() != id {
			return e, domain.ErrNotFound
		}
		e, err = r.Event(ctx, internal)
	}
	if err == nil && (e.Attrs.Source != source || e.Attrs.ID != id) {
		err = domain.ErrNotFound // erased, or called otherwise
	}
	if err != nil {
		return projections.Event{}, err
	}
	return e, nil
}

// EventBySequence implements projections.Reader.
func (r eventReader) EventBySequence(ctx context.Context, sequence domain.Sequence) (projections.Event, error) {
	return r.event(ctx, `sequence = $2`, int64(sequence))
}

// Events implements projections.Reader.
func (r eventReader) Events(
	ctx context.Context, f projections.EventFilter, page projections.Page,
) ([]projections.Event, error) {
	if r.last < 0 { // nor has the tenant a secret to hash a subject by
		return nil, nil
	}
	behind, order := pageSQL(page, "sequence", "id", 2)
	sequence, id := pageArgs(page)
	c := conditions{args: []any{sequence, id, page.Limit}, before: 1}
	if f.Type != "" {
		c.add(`type = $%d`, string(f.Type))
	}
	if f.Subject != "" {
		hash, err := subjectHash(ctx, r.log, r.tenant, f.Subject)
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		c.add(`subject_hash = $%d`, hash)
	}
	if !f.From.IsZero() {
		c.add(`recorded_at >= $%d`, f.From)
	}
	if !f.To.IsZero() {
		c.add(`recorded_at < $%d`, f.To)
	}
	if !f.Endpoint.IsZero() {
		c.add(`EXISTS (SELECT FROM deliveries AS d WHERE d.endpoint = $%d AND d.event = events.id AND d.created_sequence >= events.sequence
			AND d.created_sequence <= events.sequence + CASE WHEN events.whole THEN 0 ELSE `+fmt.Sprint(maxRoutingEntries)+` END)`,
			idOf(f.Endpoint))
	}
	events, err := r.events(ctx, `true`+behind+c.sql()+order, c.args...)
	if f.Subject == "" || err != nil {
		return events, err
	}
	kept := events[:0]
	for _, e := range events {
		if e.Attrs.Subject == f.Subject { // not erased meanwhile
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// maxRoutingEntries bounds how many entries may continue an event's routing: a million deliveries.
const maxRoutingEntries = 1000

// conditions gathers the conditions of a filter and their arguments.
type conditions struct {
	before int // parameters ahead of args
	parts  []string
	args   []any
}

// add takes a condition in which %d is the number of its parameter.
func (c *conditions) add(condition string, arg any) {
	c.args = append(c.args, arg)
	c.parts = append(c.parts, fmt.Sprintf(condition, c.before+len(c.args)))
}

func (c *conditions) sql() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " AND " + strings.Join(c.parts, " AND ")
}
