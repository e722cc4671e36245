package views

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// viewReader is a projections.Reader on one snapshot: a reader for each group of tables.
type viewReader struct {
	*tenantSnapshot
	configReader
	eventReader
	deliveryReader
}

func newViewReader(s *tenantSnapshot) *viewReader {
	return &viewReader{s, configReader{s}, eventReader{s}, deliveryReader{s}}
}

// tenantSnapshot is one tenant's views as one transaction sees them.
type tenantSnapshot struct {
	tx     pgx.Tx
	log    Log
	tenant domain.TenantID
	last   domain.Sequence // that the rows reflect; -1: nothing yet
}

// Sequence implements projections.Reader.
func (s *tenantSnapshot) Sequence() domain.Sequence { return s.last }

// SequenceAt implements projections.Reader.
func (s *tenantSnapshot) SequenceAt(ctx context.Context, at time.Time) (domain.Sequence, error) {
	return s.log.SequenceAt(ctx, s.tenant, s.last, at)
}

// at is the sequence that a read shows, never one after the snapshot's.
func (s *tenantSnapshot) at(as projections.AsOf) domain.Sequence {
	if as.Set {
		return min(as.Sequence, s.last)
	}
	return s.last
}

// pageSQL is the condition and the order that make a list go on behind a page's last row: its sequence and id are
// parameters n and n+1, the limit is n+2.
func pageSQL(page projections.Page, column, id string, n int) (behind, order string) {
	compare, direction := ">", "ASC"
	if page.Descending {
		compare, direction = "<", "DESC"
	}
	behind = fmt.Sprintf(` AND (%s, %s) %s ($%d::bigint, $%d::uuid)`, column, id, compare, n, n+1)
	order = fmt.Sprintf(` ORDER BY %s %s, %s %s LIMIT $%d`, column, direction, id, direction, n+2)
	return behind, order
}

// pageArgs are the sequence and id behind which a page goes on. The zero id sorts after all others of its sequence.
func pageArgs(page projections.Page) (int64, pgtype.UUID) {
	lowest, highest := pgtype.UUID{Valid: true}, pgtype.UUID{Valid: true}
	for i := range highest.Bytes {
		highest.Bytes[i] = math.MaxUint8
	}
	switch {
	case page.After == nil && page.Descending:
		return math.MaxInt64, lowest
	case page.After == nil:
		return -1, highest
	case !page.AfterID.IsZero():
		return int64(*page.After), idOf(page.AfterID)
	case page.Descending:
		return int64(*page.After), lowest
	}
	return int64(*page.After), highest
}
