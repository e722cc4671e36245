package eventlog

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// statements counts what a pool is asked.
type statements struct{ atomic.Int64 }

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	s.Add(1)
	return ctx
}

func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestLog_ScanStatements: the log's size is asked for only where a scan may end before what it is about does.
func TestLog_ScanStatements(t *testing.T) {
	t.Parallel()
	db := migratetest.Open(t)
	key, err := seal.LoadOrCreateMasterKey(filepath.Join(t.TempDir(), "master.json"))
	if err != nil {
		t.Fatal(err)
	}
	log := runLog(t, db.URL, key, 5)
	if err := Bootstrap(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	entry := appendTo(t, log, domain.NewUUID(), domain.AnyVersion)
	config, err := pgxpool.ParseConfig(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	asked := new(statements)
	config.ConnConfig.Tracer = asked
	traced, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer traced.Close()
	untraced := log.pool
	log.pool = traced
	defer func() { log.pool = untraced }()
	from, to, far := domain.Sequence(0), domain.Sequence(10), domain.Sequence(domain.MaxExamined+1)
	for name, c := range map[string]struct {
		query domain.Query
		want  int64
	}{
		"a short range":  {domain.Query{From: &from, To: &to, Kind: entry.Kind}, 1},
		"a stream":       {domain.Query{Stream: entry.Stream, Kind: entry.Kind}, 1},
		"a long range":   {domain.Query{From: &from, To: &far, Kind: entry.Kind}, 2},
		"an open range":  {domain.Query{From: &from, Kind: entry.Kind}, 2},
		"no filter":      {domain.Query{From: &from}, 1},
		"a smaller step": {domain.Query{From: &from, To: &to, Kind: entry.Kind, Examine: 9}, 2},
	} {
		c.query.Tenant, c.query.Limit, c.query.HeadersOnly = entry.Tenant, 10, true // contents need keys, which are read as well
		before := asked.Load()
		found, _, err := log.Scan(t.Context(), c.query)
		if err != nil || len(found) == 0 {
			t.Errorf("%s: %d entries, %v", name, len(found), err)
		}
		if n := asked.Load() - before; n != c.want {
			t.Errorf("%s takes %d statements, want %d", name, n, c.want)
		}
	}
}
