package postgres

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
// unnest, positions assigned before. Reading isn't by it: followers read pages (Log.Page).
type entrySchema struct{}

const insertEntriesSQL = `
	INSERT INTO entries (position, sequence, recorded_at, cause, stream, principal, credential, data_key,
	                     stream_version, kind_version, tenant, stream_kind, kind, leaf, content)
	SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::bigint[], $5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[],
	                     $9::integer[], $10::smallint[], $11::text[], $12::text[], $13::text[], $14::bytea[], $15::bytea[])`

// InsertQuery implements sql.SchemaAdapter.
func (entrySchema) InsertQuery(params sql.InsertQueryParams) (sql.Query, error) {
	n := len(params.Msgs)
	c := newEntryColumns(n)
	for i, m := range params.Msgs {
		p, ok := m.Context().Value(rowKey{}).(*prepared)
		if !ok {
			return sql.Query{}, errors.New("the message carries no entry: append through the log")
		}
		c.set(i, p)
	}
	return sql.Query{Query: insertEntriesSQL, Args: c.args()}, nil
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
type entryColumns struct {
	positions, sequences                  pgtype.FlatArray[int64]
	times                                 pgtype.FlatArray[time.Time]
	causes                                pgtype.FlatArray[pgtype.Int8]
	streams, principals, credentials, key pgtype.FlatArray[pgtype.UUID]
	versions                              pgtype.FlatArray[int32]
	kindVersions                          pgtype.FlatArray[int16]
	tenants, streamKinds, kinds           pgtype.FlatArray[string]
	leaves, contents                      pgtype.FlatArray[[]byte]
}

func newEntryColumns(n int) *entryColumns {
	return &entryColumns{
		positions: make([]int64, n), sequences: make([]int64, n), times: make([]time.Time, n), causes: make([]pgtype.Int8, n),
		streams: make([]pgtype.UUID, n), principals: make([]pgtype.UUID, n), credentials: make([]pgtype.UUID, n), key: make([]pgtype.UUID, n),
		versions: make([]int32, n), kindVersions: make([]int16, n),
		tenants: make([]string, n), streamKinds: make([]string, n), kinds: make([]string, n),
		leaves: make([][]byte, n), contents: make([][]byte, n),
	}
}

func (c *entryColumns) set(i int, p *prepared) {
	c.positions[i], c.sequences[i], c.times[i] = int64(p.position), int64(p.sequence), p.recordedAt
	c.causes[i] = pgtype.Int8{Int64: int64(p.Cause), Valid: p.Cause != 0}
	c.streams[i], c.key[i] = nullable(p.Stream.ID), nullable(p.key)
	c.principals[i], c.credentials[i] = nullable(p.By.Principal), nullable(p.By.Credential)
	c.versions[i], c.kindVersions[i] = int32(p.streamVersion), int16(p.kindVersion)
	c.tenants[i], c.streamKinds[i], c.kinds[i] = string(p.Tenant), string(p.Stream.Kind), string(p.kind)
	c.leaves[i], c.contents[i] = p.leaf, p.content
}

func (c *entryColumns) args() []any {
	return []any{
		c.positions, c.sequences, c.times, c.causes, c.streams, c.principals, c.credentials, c.key,
		c.versions, c.kindVersions, c.tenants, c.streamKinds, c.kinds, c.leaves, c.contents,
	}
}

func nullable(id domain.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: !id.IsZero()} }

// pipelined is a watermill-sql executor that puts statements into a pipeline instead of sending each by itself: the insert travels
// with the tiles, the heads and the COMMIT in one round trip. What fails shows when the pipeline's results are read.
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
