package views

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// replayRow is a replay that the page changes.
type replayRow struct {
	projections.Replay
	made    bool // in this page
	touched bool
}

// replayPage gathers what a page changes of replays.
type replayPage struct {
	replays map[domain.UUID]*replayRow
	results map[domain.UUID]*projections.ReplayResults // by replay: what the page adds
}

func newReplayPage() replayPage {
	return replayPage{make(map[domain.UUID]*replayRow), make(map[domain.UUID]*projections.ReplayResults)}
}

// add adds to a replay's results.
func (p *replayPage) add(replay domain.UUID, adds projections.ReplayResults) {
	if adds == (projections.ReplayResults{}) {
		return
	}
	if p.results[replay] == nil {
		p.results[replay] = new(projections.ReplayResults)
	}
	p.results[replay].Add(adds)
}

// FoldReplay implements projections.Store.
func (p *replayPage) FoldReplay(e *domain.Entry) error {
	row := p.replays[e.Stream.ID]
	if row == nil {
		row = &replayRow{made: true}
		p.replays[e.Stream.ID] = row
	}
	row.touched = true
	return row.Fold(e)
}

// loadReplays reads the replays of earlier pages that entries change.
func (p *replayPage) loadReplays(ctx context.Context, q postgres.Querier, ids []pgtype.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := q.Query(ctx, `SELECT `+replayColumns+` FROM replays WHERE id = ANY ($1)`, ids)
	if err != nil {
		return err
	}
	replays, err := pgx.CollectRows(rows, scanReplay)
	for _, r := range replays {
		p.replays[r.ID] = &replayRow{Replay: r}
	}
	return err
}

const (
	insertReplaysSQL = `
		INSERT INTO replays (id, through_id, updated_position, updated_sequence, updated_at, through_sequence, examined, sent,
		                     version, status, problem, refused, created_position, created_sequence, created_at, tenant, asked_as,
		                     succeeded, dead, cancelled, tried)
		SELECT *, 0, 0, 0, 0 FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bigint[], $7::bigint[],
		                     $8::bigint[], $9::integer[], $10::text[], $11::text[], $12::bytea[], $13::bigint[], $14::bigint[],
		                     $15::timestamptz[], $16::text[], $17::text[])`
	updateReplaysSQL = `
		UPDATE replays AS r SET through_id = page.through_id, updated_position = page.updated_position,
		       updated_sequence = page.updated_sequence, updated_at = page.updated_at, through_sequence = page.through_sequence,
		       examined = page.examined, sent = page.sent, version = page.version, status = page.status, problem = page.problem,
		       refused = page.refused
		  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bigint[], $7::bigint[],
		              $8::bigint[], $9::integer[], $10::text[], $11::text[], $12::bytea[])
		    AS page (id, through_id, updated_position, updated_sequence, updated_at, through_sequence, examined, sent, version,
		             status, problem, refused)
		 WHERE r.id = page.id`
	resultsSQL = `
		UPDATE replays AS r SET succeeded = r.succeeded + page.succeeded, dead = r.dead + page.dead,
		       cancelled = r.cancelled + page.cancelled, tried = r.tried + page.tried
		  FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS page (id, succeeded, dead, cancelled, tried)
		 WHERE r.id = page.id`
)

// queueReplays writes the replays that the page changed, and then adds how their deliveries ended.
func (p *replayPage) queueReplays(b *pgx.Batch) error {
	var made, moved []*replayRow
	for _, r := range p.replays {
		switch {
		case r.made:
			made = append(made, r)
		case r.touched:
			moved = append(moved, r)
		}
	}
	type row = *replayRow
	if len(made) > 0 {
		columns, err := movingReplayColumns(made)
		if err != nil {
			return err
		}
		b.Queue(insertReplaysSQL, append(columns,
			columnOf(made, func(r *row) int64 { return int64((*r).Created.Position) }),
			columnOf(made, func(r *row) int64 { return int64((*r).Created.Sequence) }),
			columnOf(made, func(r *row) pgtype.Timestamptz { return timeOf((*r).Created.RecordedAt) }),
			columnOf(made, func(r *row) string { return string((*r).Tenant) }),
			columnOf(made, func(r *row) string { return string((*r).Config.As) }),
		)...)
	}
	if len(moved) > 0 {
		columns, err := movingReplayColumns(moved)
		if err != nil {
			return err
		}
		b.Queue(updateReplaysSQL, columns...).Exec(whole("replays", len(moved)))
	}
	if len(p.results) > 0 {
		ids := make([]domain.UUID, 0, len(p.results))
		for id := range p.results {
			ids = append(ids, id)
		}
		b.Queue(resultsSQL, columnOf(ids, func(id *domain.UUID) pgtype.UUID { return idOf(*id) }),
			columnOf(ids, func(id *domain.UUID) int64 { return int64(p.results[*id].Succeeded) }),
			columnOf(ids, func(id *domain.UUID) int64 { return int64(p.results[*id].Dead) }),
			columnOf(ids, func(id *domain.UUID) int64 { return int64(p.results[*id].Cancelled) }),
			columnOf(ids, func(id *domain.UUID) int64 { return int64(p.results[*id].Tried) }))
	}
	return nil
}

func movingReplayColumns(rows []*replayRow) ([]any, error) {
	type row = *replayRow
	refused := make([][]byte, len(rows))
	for i, r := range rows {
		var err error
		if refused[i], err = json.Marshal(r.Counts.Refused, asInTheLog); err != nil {
			return nil, fmt.Errorf("encode what replay %s refused: %w", r.ID, err)
		}
	}
	return []any{
		columnOf(rows, func(r *row) pgtype.UUID { return idOf((*r).ID) }),
		columnOf(rows, func(r *row) pgtype.UUID { return idOf((*r).Through.ID) }),
		columnOf(rows, func(r *row) int64 { return int64((*r).Updated.Position) }),
		columnOf(rows, func(r *row) int64 { return int64((*r).Updated.Sequence) }),
		columnOf(rows, func(r *row) pgtype.Timestamptz { return timeOf((*r).Updated.RecordedAt) }),
		columnOf(rows, func(r *row) int64 { return int64((*r).Through.Sequence) }),
		columnOf(rows, func(r *row) int64 { return int64((*r).Counts.Examined) }),
		columnOf(rows, func(r *row) int64 { return int64((*r).Counts.Sent) }),
		columnOf(rows, func(r *row) int32 { return int32((*r).Version) }),
		columnOf(rows, func(r *row) string { return string((*r).Status) }),
		columnOf(rows, func(r *row) string { return (*r).Problem }),
		refused,
	}, nil
}

// replayColumns are those that scanReplay expects.
const replayColumns = `id, through_id, created_position, created_sequence, created_at, updated_position, updated_sequence,
	updated_at, through_sequence, examined, sent, succeeded, dead, cancelled, tried, version, tenant, status, problem, refused`

func scanReplay(row pgx.CollectableRow) (r projections.Replay, err error) {
	var id, through pgtype.UUID
	var refused []byte
	err = row.Scan(&id, &through, &r.Created.Position, &r.Created.Sequence, &r.Created.RecordedAt, &r.Updated.Position,
		&r.Updated.Sequence, &r.Updated.RecordedAt, &r.Through.Sequence, &r.Counts.Examined, &r.Counts.Sent,
		&r.Results.Succeeded, &r.Results.Dead, &r.Results.Cancelled, &r.Results.Tried, &r.Version, &r.Tenant, &r.Status, &r.Problem, &refused)
	if err != nil {
		return r, err
	}
	r.ID, r.Through.ID, r.Cause = id.Bytes, through.Bytes, r.Created.Sequence
	r.Created.RecordedAt, r.Updated.RecordedAt = r.Created.RecordedAt.UTC(), r.Updated.RecordedAt.UTC()
	if err := json.Unmarshal(refused, &r.Counts.Refused, asInTheLog); err != nil {
		return r, fmt.Errorf("decode what replay %s refused: %w (%w)", r.ID, err, errViewsApart)
	}
	if len(r.Counts.Refused) == 0 {
		r.Counts.Refused = nil
	}
	return r, nil
}

// replays reads rows, and from the log what they were asked to do.
func replays(ctx context.Context, log Log, tx pgx.Tx, condition string, args ...any) ([]projections.Replay, error) {
	rows, err := tx.Query(ctx, `SELECT `+replayColumns+` FROM replays WHERE `+condition, args...)
	if err != nil {
		return nil, postgres.DomainError("read replays", err)
	}
	all, err := pgx.CollectRows(rows, scanReplay)
	if err != nil {
		return nil, postgres.DomainError("read replays", err)
	}
	for i := range all {
		r := &all[i]
		first, err := log.Entries(ctx, r.Tenant, []domain.Sequence{r.Created.Sequence})
		if err != nil {
			return nil, fmt.Errorf("read what replay %s was asked to do: %w", r.ID, err)
		}
		for _, e := range first {
			r.By = e.By
			if f, ok := e.Fact.(*domain.ReplayCreated); ok {
				r.Config = f.Replay
			}
		}
	}
	return all, nil
}

// Replay implements projections.Reader.
func (r deliveryReader) Replay(ctx context.Context, id domain.UUID) (projections.Replay, error) {
	rows, err := replays(ctx, r.log, r.tx, `tenant = $1 AND id = $2`, string(r.tenant), idOf(id))
	if err == nil && len(rows) == 0 {
		err = domain.ErrNotFound
	}
	if err != nil {
		return projections.Replay{}, err
	}
	return rows[0], nil
}

// Replays implements projections.Reader.
func (r deliveryReader) Replays(
	ctx context.Context, as domain.ReplayAs, page projections.Page,
) ([]projections.Replay, error) {
	behind, order := pageSQL(page, "created_sequence", "id", 3)
	sequence, id := pageArgs(page)
	return replays(ctx, r.log, r.tx, `tenant = $1 AND asked_as = $2`+behind+order, string(r.tenant), string(as), sequence, id, page.Limit)
}

// ActiveReplays returns the replays of all tenants that are to go on, oldest first.
func (v *Views) ActiveReplays(ctx context.Context) (active []projections.Replay, err error) {
	err = v.snapshotOfAll(ctx, func(tx pgx.Tx, _ domain.Position) error {
		active, err = replays(ctx, v.log, tx, `status IN ('queued', 'running') ORDER BY created_position LIMIT 1000`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find the replays that are to go on: %w", err)
	}
	return active, nil
}
