package views

import (
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// columnOf makes one column of an unnest out of rows.
func columnOf[R, C any](rows []R, of func(*R) C) pgtype.FlatArray[C] {
	c := make([]C, len(rows))
	for i := range rows {
		c[i] = of(&rows[i])
	}
	return c
}

// idOf is null for the zero id.
func idOf(id domain.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: !id.IsZero()} }

// timeOf is null for the zero time.
func timeOf(t time.Time) pgtype.Timestamptz { return pgtype.Timestamptz{Time: t, Valid: !t.IsZero()} }

// dueOf is minus infinity, before all others, for the zero time. (A null would need COALESCE in the index, which no
// condition reaches behind row-level security: Postgres doesn't hold it to be leakproof.)
func dueOf(t time.Time) pgtype.Timestamptz {
	if t.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	}
	return pgtype.Timestamptz{Time: t, Valid: true}
}

// textOf is null for the empty text.
func textOf(s string) pgtype.Text { return pgtype.Text{String: s, Valid: s != ""} }

// ofOrigin is null for an origin that isn't there.
func ofOrigin(o projections.Origin, n int64) pgtype.Int8 {
	return pgtype.Int8{Int64: n, Valid: o != projections.Origin{}}
}

// nullOrigin scans an origin of which all three columns may be null.
type nullOrigin struct {
	position, sequence pgtype.Int8
	at                 pgtype.Timestamptz
}

func (n nullOrigin) origin() projections.Origin {
	if !n.position.Valid {
		return projections.Origin{}
	}
	return projections.Origin{
		Position: domain.Position(n.position.Int64), Sequence: domain.Sequence(n.sequence.Int64), RecordedAt: n.at.Time.UTC(),
	}
}

// timeFrom is the inverse of timeOf and of dueOf.
func timeFrom(t pgtype.Timestamptz) time.Time {
	if !t.Valid || t.InfinityModifier != pgtype.Finite {
		return time.Time{}
	}
	return t.Time.UTC()
}

// packedMatch is the length of one subscription in deliveries.subscriptions: an id and a version. It takes a third of
// what two arrays would.
const packedMatch = 20

func packMatches(matches []domain.SubscriptionMatch) []byte {
	b := make([]byte, 0, packedMatch*len(matches))
	for _, m := range matches {
		b = append(b, m.ID[:]...)
		b = binary.BigEndian.AppendUint32(b, uint32(m.Version))
	}
	return b
}

func unpackMatches(b []byte) []domain.SubscriptionMatch {
	if len(b) < packedMatch {
		return nil
	}
	matches := make([]domain.SubscriptionMatch, 0, len(b)/packedMatch)
	for ; len(b) >= packedMatch; b = b[packedMatch:] {
		matches = append(matches, domain.SubscriptionMatch{ID: domain.UUID(b[:16]), Version: int(binary.BigEndian.Uint32(b[16:]))})
	}
	return matches
}
