// Watermill is here by decision: entries are published by watermill-sql's Publisher, in the transaction of their
// append, so that what is built on Watermill works on the log.

package eventlog

import (
	"context"
	stdsql "database/sql"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// topic is the one that all entries are published under: a tenant is a column, not a table.
const topic = "log"

// rowKey is where a message's context carries its row.
type rowKey struct{}

// entryMessage makes the message that carries an entry into the log.
func entryMessage(ctx context.Context, p *prepared) *message.Message {
	m := &message.Message{Payload: p.content}
	m.SetContext(context.WithValue(ctx, rowKey{}, p))
	return m
}

// entrySchema is watermill-sql's SchemaAdapter for the table entries: one statement for all messages of a call, rows by
// unnest (doc.go says why in the select list), positions assigned before. Reading isn't by it: followers read pages
// (Log.Page).
type entrySchema struct{}

const insertEntriesSQL = `
	INSERT INTO entries (position, sequence, recorded_at, cause, stream, principal, credential, data_key,
	                     stream_version, kind_version, tenant, stream_kind, kind, leaf, content)
	SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::timestamptz[]), unnest($4::bigint[]), unnest($5::uuid[]),
	       unnest($6::uuid[]), unnest($7::uuid[]), unnest($8::uuid[]), unnest($9::integer[]), unnest($10::smallint[]),
	       unnest($11::text[]), unnest($12::text[]), unnest($13::text[]), unnest($14::bytea[]), unnest($15::bytea[])`

// InsertQuery implements sql.SchemaAdapter.
func (entrySchema) InsertQuery(params sql.InsertQueryParams) (sql.Query, error) {
	entries := make([]*prepared, len(params.Msgs))
	for i, m := range params.Msgs {
		p, ok := m.Context().Value(rowKey{}).(*prepared)
		if !ok {
			return sql.Query{}, errors.New("the message carries no entry: append through the log")
		}
		entries[i] = p
	}
	return sql.Query{Query: insertEntriesSQL, Args: entryColumns(entries)}, nil
}

// SelectQuery implements sql.SchemaAdapter; it refuses.
func (entrySchema) SelectQuery(sql.SelectQueryParams) (sql.Query, error) {
	return sql.Query{}, errors.New("followers read the log by pages")
}

// UnmarshalMessage implements sql.SchemaAdapter; it refuses.
func (entrySchema) UnmarshalMessage(sql.UnmarshalMessageParams) (sql.Row, error) {
	return sql.Row{}, errors.New("followers read the log by pages")
}

// SchemaInitializingQueries implements sql.SchemaAdapter: the migrations make the table.
func (entrySchema) SchemaInitializingQueries(sql.SchemaInitializingQueriesParams) ([]sql.Query, error) {
	return nil, nil
}

// SubscribeIsolationLevel implements sql.SchemaAdapter.
func (entrySchema) SubscribeIsolationLevel() stdsql.IsolationLevel { return stdsql.LevelReadCommitted }

// entryColumns are the rows of one insert, by column.
func entryColumns(entries []*prepared) []any {
	n := len(entries)
	positions, sequences, causes := make([]int64, n), make([]int64, n), make([]pgtype.Int8, n)
	times, versions, kindVersions := make([]time.Time, n), make([]int32, n), make([]int16, n)
	streams, principals, credentials, dataKeys := make([][16]byte, n), make([]pgtype.UUID, n), make([]pgtype.UUID, n), make([]pgtype.UUID, n)
	tenants, streamKinds, kinds := make([]string, n), make([]string, n), make([]string, n)
	leaves, contents := make([][]byte, n), make([][]byte, n)
	for i, p := range entries {
		positions[i], sequences[i], times[i] = int64(p.position), int64(p.sequence), p.recordedAt
		causes[i] = pgtype.Int8{Int64: int64(p.Cause), Valid: p.Cause != 0}
		streams[i], principals[i], credentials[i] = p.Stream.ID, orNull(p.By.Principal), orNull(p.By.Credential)
		if p.packed != nil {
			dataKeys[i] = orNull(p.keys.Period.ID)
		}
		versions[i], kindVersions[i] = int32(p.streamVersion), int16(p.kindVersion)
		tenants[i], streamKinds[i], kinds[i] = string(p.Tenant), string(p.Stream.Kind), string(p.kind)
		leaves[i], contents[i] = p.leafColumn, p.content
	}
	return []any{
		positions, sequences, times, causes, streams, principals, credentials, dataKeys,
		versions, kindVersions, tenants, streamKinds, kinds, leaves, contents,
	}
}

func orNull(id domain.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: !id.IsZero()} }

// pipelined is a watermill-sql executor that puts statements into a pipeline instead of sending each by itself: the
// insert travels with the tiles, the heads and the COMMIT in one round trip. What fails shows when the pipeline's
// results are read.
type pipelined struct{ batch *pgx.Batch }

type queued struct{}

// RowsAffected implements sql.Result; it is not known yet.
func (queued) RowsAffected() (int64, error) {
	return 0, errors.New("not known before the pipeline has run")
}

// ExecContext implements sql.ContextExecutor.
func (p pipelined) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	p.batch.Queue(query, args...)
	return queued{}, nil
}

// QueryContext implements sql.ContextExecutor; a pipeline can't answer.
func (p pipelined) QueryContext(context.Context, string, ...any) (sql.Rows, error) {
	return nil, errors.New("a pipeline only executes")
}
