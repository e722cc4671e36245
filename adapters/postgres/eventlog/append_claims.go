package eventlog

import (
	"bytes"
	"context"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// digestBytes of a request's keyed digest are kept with a claim.
const digestBytes = 16

// claimed is a claim that stands in the log.
type claimed struct {
	sequence domain.Sequence
	count    int
	at       time.Time
	digest   []byte
}

func (c claimed) asError(claim int, digest [32]byte) *domain.ClaimedError {
	return &domain.ClaimedError{
		Claim: claim, Same: bytes.Equal(c.digest, digest[:digestBytes]),
		Sequence: c.sequence, Count: c.count, At: c.at,
	}
}

// insertClaims inserts what the admitted groups claim and says whether all of it was free. It is one statement under a
// savepoint: a look-up first would cost every append what only a repetition needs (facts: a fifth of the rate).
func insertClaims(ctx context.Context, tx pgx.Tx, admitted []*request) (free bool, err error) {
	var macs, digests [][]byte
	var sequences []int64
	var counts []int32
	for _, r := range admitted {
		for i, claim := range r.group.Claims {
			macs = append(macs, r.macs[i][:])
			digests = append(digests, r.digests[i][:digestBytes])
			sequences = append(sequences, int64(r.drafts[claim.First].sequence))
			counts = append(counts, int32(claim.Count))
		}
	}
	if len(macs) == 0 {
		return true, nil
	}
	const insert = `
		INSERT INTO claims (mac, digest, sequence, count)
		SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::integer[])
		ON CONFLICT DO NOTHING`
	var batch pgx.Batch
	batch.Queue(`SAVEPOINT claims`)
	batch.Queue(insert, macs, digests, sequences, counts)
	results := tx.SendBatch(ctx, &batch)
	defer func() { _ = results.Close() }() // again, after an error; the first close is checked
	if _, err := results.Exec(); err != nil {
		return false, err
	}
	tag, err := results.Exec()
	if err != nil {
		return false, err
	}
	return tag.RowsAffected() == int64(len(macs)), results.Close()
}

// lookUpClaims undoes insertClaims and reads which of all the batch's claims stand in the log.
func lookUpClaims(ctx context.Context, tx pgx.Tx, requests []*request) (map[[32]byte]claimed, error) {
	var macs [][]byte
	var tenants []string
	for _, r := range requests {
		for i, claim := range r.group.Claims {
			macs = append(macs, r.macs[i][:])
			tenants = append(tenants, string(claim.Tenant))
		}
	}
	if _, err := tx.Exec(ctx, `ROLLBACK TO SAVEPOINT claims`); err != nil {
		return nil, err
	}
	return readClaims(ctx, tx, macs, tenants)
}

// readClaims reads which claims, each of a tenant, stand in the log.
func readClaims(ctx context.Context, db postgres.Querier, macs [][]byte, tenants []string) (map[[32]byte]claimed, error) {
	const sql = `
		SELECT DISTINCT c.mac, c.digest, c.sequence, c.count,
		       (SELECT e.recorded_at FROM entries e WHERE e.tenant = w.tenant AND e.sequence = c.sequence)
		  FROM unnest($1::bytea[], $2::text[]) AS w (mac, tenant) JOIN claims c USING (mac)`
	rows, err := db.Query(ctx, sql, macs, tenants)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make(map[[32]byte]claimed)
	for rows.Next() {
		var mac []byte
		var c claimed
		var at *time.Time // null when the entry was archived
		if err := rows.Scan(&mac, &c.digest, &c.sequence, &c.count, &at); err != nil {
			return nil, err
		}
		if at != nil {
			c.at = at.UTC()
		}
		found[[32]byte(mac)] = c
	}
	return found, rows.Err()
}
