package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

const eventColumnsSQL = `id, tenant, position, sequence, recorded_at, routed_position, routed_sequence, routed_at,
	data_size, erased, leaf_hash, type, subject, source, producer_id, more`

func scanEvent(row pgx.CollectableRow) (e projections.Event, err error) {
	var id pgtype.UUID
	var routed nullOrigin
	var hash []byte
	var typ string
	var c eventColumns
	err = row.Scan(&id, &e.Tenant, &e.Created.Position, &e.Created.Sequence, &e.Created.RecordedAt, &routed.position, &routed.sequence, &routed.at,
		&e.DataSize, &e.Erased, &hash, &typ, &c.subject, &c.source, &c.producerID, &c.more)
	if err != nil {
		return e, err
	}
	e.ID, e.Created.RecordedAt, e.Routed = id.Bytes, e.Created.RecordedAt.UTC(), routed.origin()
	copy(e.LeafHash[:], hash)
	return e, c.attributes(&e, typ)
}

func (r *viewReader) events(ctx context.Context, condition string, args ...any) ([]projections.Event, error) {
	rows, err := r.tx.Query(ctx, `SELECT `+eventColumnsSQL+` FROM events WHERE tenant = $1 AND `+condition, append([]any{string(r.tenant)}, args...)...)
	if err != nil {
		return nil, domainError("read events", err)
	}
	events, err := pgx.CollectRows(rows, scanEvent)
	return events, domainError("read events", err)
}

func (r *viewReader) event(ctx context.Context, condition string, args ...any) (projections.Event, error) {
	events, err := r.events(ctx, condition, args...)
	if err == nil && len(events) == 0 {
		err = domain.ErrNotFound
	}
	if err != nil {
		return projections.Event{}, err
	}
	return events[0], nil
}

// Event implements projections.Reader.
func (r *viewReader) Event(ctx context.Context, id domain.UUID) (projections.Event, error) {
	return r.event(ctx, `id = $2`, idOf(id))
}

// EventByProducerID implements projections.Reader. An id that the producer didn't choose is the internal one, and a source
// that it didn't name is the tenant's: both are null in the table.
func (r *viewReader) EventByProducerID(ctx context.Context, source, id string) (projections.Event, error) {
	named := pgtype.Text{String: source, Valid: source != defaultSource(r.tenant)}
	e, err := r.event(ctx, `producer_id = $2 AND source IS NOT DISTINCT FROM $3 AND NOT erased`, id, named)
	internal, parseErr := domain.ParseUUID(id)
	if err == nil || parseErr != nil || internal.String() != id {
		return e, err
	}
	return r.event(ctx, `id = $2 AND producer_id IS NULL AND source IS NOT DISTINCT FROM $3 AND NOT erased`, idOf(internal), named)
}

// EventBySequence implements projections.Reader.
func (r *viewReader) EventBySequence(ctx context.Context, sequence domain.Sequence) (projections.Event, error) {
	return r.event(ctx, `sequence = $2`, int64(sequence))
}

// Events implements projections.Reader.
func (r *viewReader) Events(ctx context.Context, f projections.EventFilter, page projections.Page) ([]projections.Event, error) {
	behind, order := pageSQL(page, "sequence", 2)
	sequence, id := pageArgs(page)
	c := conditions{args: []any{sequence, id, page.Limit}, before: 1}
	if f.Type != "" {
		c.add(`type = $%d AND NOT erased`, string(f.Type))
	}
	if f.Subject != "" {
		c.add(`subject = $%d`, f.Subject)
	}
	if !f.From.IsZero() {
		c.add(`recorded_at >= $%d`, f.From)
	}
	if !f.To.IsZero() {
		c.add(`recorded_at < $%d`, f.To)
	}
	if !f.Endpoint.IsZero() {
		// A delivery is made by one of its event's routings, so it stands between the event and the last of them.
		c.add(`EXISTS (SELECT FROM deliveries AS d WHERE d.endpoint = $%d AND d.created_sequence > events.sequence
			AND d.created_sequence <= coalesce(events.routed_sequence, 9223372036854775807) AND d.event = events.id)`, idOf(f.Endpoint))
	}
	return r.events(ctx, `true`+behind+c.sql()+order, c.args...)
}

// conditions gathers the conditions of a filter and their arguments.
type conditions struct {
	before int // parameters ahead of args
	parts  []string
	args   []any
}

// add takes a condition in which %d stands for the number of its parameter.
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
