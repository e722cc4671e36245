package eventlog

import (
	"context"

	"github.com/hooktrail/hooktrail/domain"
)

// Claimed looks claims up without appending: for each, in order, who made it before, or nil. An append may make a claim
// right after, so an answer of nil promises nothing.
func (l *Log) Claimed(ctx context.Context, claims []domain.Claim) ([]*domain.ClaimedError, error) {
	macs, tenants := make([][]byte, len(claims)), make([]string, len(claims))
	for i, c := range claims {
		mac := l.instance.claimMAC(c)
		macs[i], tenants[i] = mac[:], string(c.Tenant)
	}
	found, err := readClaims(ctx, l.pool, macs, tenants)
	if err != nil {
		return nil, postgres.DomainError("look up claims", err)
	}
	earlier := make([]*domain.ClaimedError, len(claims))
	for i, c := range claims {
		if made, ok := found[[32]byte(macs[i])]; ok {
			earlier[i] = made.asError(i, l.instance.claimDigest(c))
		}
	}
	return earlier, nil
}

// Settle returns when every append of any process that held the lock has ended: what is recorded from then on carries a
// later time than the database's clock showed when Settle was called.
func (l *Log) Settle(ctx context.Context) error {
	_, err := l.pool.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('hooktrail/log', 0))`)
	return postgres.DomainError("wait for appends under way", err)
}
