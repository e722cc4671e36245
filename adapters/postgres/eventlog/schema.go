// Watermill is here by decision: entries are published by watermill-sql's Publisher, in the transaction of their append, so that
// what is built on Watermill works on the log.

package eventlog

import (
	"context"
	stdsql "database/sql"
	"errors"

	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/hooktrail/hooktrail/adapters/postgres"
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
// unnest (doc.go says why in the select list), positions assigned before. Reading isn't by it: followers read pages (Log.Page).
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
	c := newEntryColumns(entries)
	for _, p := range entries {
		c.add(p)
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
	positions, sequences, times, causes           *postgres.Column
	streams, principals, credentials, dataKeys    *postgres.Column
	versions, kindVersions                        *postgres.Column
	tenants, streamKinds, kinds, leaves, contents *postgres.Column
}

// newEntryColumns makes columns for these entries, large enough for all they hold.
func newEntryColumns(entries []*prepared) *entryColumns {
	n := len(entries)
	tenants, streamKinds, kinds, leaves, contents := 0, 0, 0, 0, 0
	for _, p := range entries {
		tenants += len(p.Tenant)
		streamKinds += len(p.Stream.Kind)
		kinds += len(p.kind)
		leaves += len(p.leafColumn)
		contents += len(p.content)
	}
	int64s := func() *postgres.Column { return postgres.NewColumn(pgtype.Int8OID, n, 8*n) }
	uuids := func() *postgres.Column { return postgres.NewColumn(pgtype.UUIDOID, n, 16*n) }
	return &entryColumns{
		positions: int64s(), sequences: int64s(), causes: int64s(), times: postgres.NewColumn(pgtype.TimestamptzOID, n, 8*n),
		streams: uuids(), principals: uuids(), credentials: uuids(), dataKeys: uuids(),
		versions: postgres.NewColumn(pgtype.Int4OID, n, 4*n), kindVersions: postgres.NewColumn(pgtype.Int2OID, n, 2*n),
		tenants: postgres.NewColumn(pgtype.TextOID, n, tenants), streamKinds: postgres.NewColumn(pgtype.TextOID, n, streamKinds),
		kinds: postgres.NewColumn(pgtype.TextOID, n, kinds), leaves: postgres.NewColumn(pgtype.ByteaOID, n, leaves),
		contents: postgres.NewColumn(pgtype.ByteaOID, n, contents),
	}
}

func (c *entryColumns) add(p *prepared) {
	c.positions.Int64(int64(p.position))
	c.sequences.Int64(int64(p.sequence))
	c.times.Time(p.recordedAt)
	if p.Cause == 0 {
		c.causes.Null()
	} else {
		c.causes.Int64(int64(p.Cause))
	}
	c.streams.UUID(p.Stream.ID)
	c.principals.UUID(p.By.Principal)
	c.credentials.UUID(p.By.Credential)
	if p.packed == nil {
		c.dataKeys.Null()
	} else {
		c.dataKeys.UUID(p.keys.Period.ID)
	}
	c.versions.Int32(p.streamVersion)
	c.kindVersions.Int16(p.kindVersion)
	c.tenants.Text(string(p.Tenant))
	c.streamKinds.Text(string(p.Stream.Kind))
	c.kinds.Text(string(p.kind))
	c.leaves.Bytea(p.leafColumn)
	if p.content == nil {
		c.contents.Null()
	} else {
		c.contents.Bytea(p.content)
	}
}

func (c *entryColumns) args() []any {
	return []any{
		c.positions, c.sequences, c.times, c.causes, c.streams, c.principals, c.credentials, c.dataKeys,
		c.versions, c.kindVersions, c.tenants, c.streamKinds, c.kinds, c.leaves, c.contents,
	}
}

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
