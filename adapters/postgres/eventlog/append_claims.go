package eventlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// digestBytes of a request's keyed digest are kept with a claim.
const digestBytes = 16

// claimMAC identifies a claim in the database: what a client sent isn't kept.
type claimMAC [16]byte

// claimed is a claim that is in the log, as its row has it.
type claimed struct {
	mac      claimMAC
	tenant   domain.TenantID
	sequence domain.Sequence
	count    int
	day      time.Time
	digest   []byte
	proof    int64
}

// prove computes what tells that the row is as it was made.
func (c *claimed) prove(tenant *seal.Secret) (int64, error) {
	numbers := fmt.Sprintf("%d %d %s", c.sequence, c.count, c.day.Format(time.DateOnly))
	sum, err := seal.HashUnder(tenant, "claim row", string(c.mac[:]), string(c.digest), numbers)
	return int64(binary.BigEndian.Uint64(sum[:8])), err
}

// claimColumns are those that scanClaims takes, in its order.
const claimColumns = `c.mac, c.tenant, c.sequence, c.count, c.day, c.digest, c.proof`

func scanClaims(rows pgx.Rows) ([]claimed, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c claimed, err error) {
		var mac []byte
		err = row.Scan(&mac, &c.tenant, &c.sequence, &c.count, &c.day, &c.digest, &c.proof)
		copy(c.mac[:], mac)
		return c, err
	})
}

// takenError says that a claim of a group was made before. The appender leaves the comparison of the requests to the
// caller's goroutine, because it has to open what the earlier append made.
type takenError struct {
	claim   int // index into the group's
	request domain.Claim
	earlier claimed
}

// Error implements error.
func (e *takenError) Error() string { return fmt.Sprintf("claim %d was made before", e.claim) }

// macOf hashes a claim under its tenant's own secret.
func macOf(tenant *seal.Secret, c *domain.Claim) (mac claimMAC, err error) {
	sum, err := seal.HashUnder(tenant, "claim", c.Scope, c.Key)
	copy(mac[:], sum[:])
	return mac, err
}

// digestOf puts a request's digest under the tenant's secret and those of the subjects: a request may hold little that
// isn't known, and who can't use the secrets can't confirm a guess of the rest, after an erasure not even by asking the
// server.
func digestOf(tenant *seal.Secret, subjects []*seal.Secret, c *domain.Claim) ([32]byte, error) {
	digest, err := seal.HashUnder(tenant, "claim digest", c.Scope, c.Key, string(c.Digest[:]))
	for _, s := range subjects {
		if err == nil {
			digest, err = s.Bind("claim digest", digest)
		}
	}
	return digest, err
}

// keyClaims computes what is kept of the group's claims.
func (r *request) keyClaims() (err error) {
	r.macs, r.digests = make([]claimMAC, len(r.group.Claims)), make([][32]byte, len(r.group.Claims))
	for i := range r.group.Claims {
		c := &r.group.Claims[i]
		tenant := r.drafts[c.First].keys.Tenant
		if r.macs[i], err = macOf(tenant, c); err != nil {
			return err
		}
		var subjects []*seal.Secret
		seen := make(map[domain.UUID]bool)
		for n := c.First; n < c.First+c.Count; n++ {
			if s := r.drafts[n].keys.Subject; s != nil && !seen[s.ID] {
				seen[s.ID] = true
				subjects = append(subjects, s)
			}
		}
		if r.digests[i], err = digestOf(tenant, subjects, c); err != nil {
			return err
		}
	}
	return nil
}

// compareBatch is how many claims are compared together: what their appends made is in memory meanwhile.
const compareBatch = 100

// compare answers a caller whose claims of one tenant were made before: for each, in order, it tells a repetition of
// the earlier request from another one.
func (r *reader) compare(
	ctx context.Context, tenant domain.TenantID, taken []*takenError,
) ([]*domain.ClaimedError, error) {
	answers := make([]*domain.ClaimedError, 0, len(taken))
	for some := range slices.Chunk(taken, compareBatch) {
		more, err := r.compareSome(ctx, tenant, some)
		if err != nil {
			return nil, fmt.Errorf("compare with an earlier request: %w", err)
		}
		answers = append(answers, more...)
	}
	return answers, nil
}

func (r *reader) compareSome(
	ctx context.Context, tenant domain.TenantID, taken []*takenError,
) ([]*domain.ClaimedError, error) {
	var sequences []domain.Sequence
	for _, t := range taken {
		for i := range t.earlier.count {
			sequences = append(sequences, t.earlier.sequence+domain.Sequence(i))
		}
	}
	list, err := r.Entries(ctx, tenant, sequences)
	if err != nil {
		return nil, err
	}
	entries, ids := make(map[domain.Sequence]*domain.Entry, len(list)), make([]domain.UUID, 0, len(list))
	for i := range list {
		entries[list[i].Sequence] = &list[i]
		if key := list[i].SubjectKey; !key.IsZero() {
			ids = append(ids, key)
		}
	}
	found, err := r.keys.Read(ctx, r.vital, ids, nil)
	if err != nil {
		return nil, err
	}
	secret := func() (*seal.Secret, error) { return r.keys.Tenant(ctx, tenant) }
	answers := make([]*domain.ClaimedError, len(taken))
	for i, t := range taken {
		if answers[i], err = t.answer(secret, entries, found); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// answer compares one claim. What became of the entries' subjects decides first, so that nothing can be learned about
// what was erased; so the tenant's secret is asked for only then.
func (e *takenError) answer(
	tenant func() (*seal.Secret, error), entries map[domain.Sequence]*domain.Entry, found *seal.Found,
) (*domain.ClaimedError, error) {
	answer := &domain.ClaimedError{Claim: e.claim, Sequence: e.earlier.sequence, Count: e.earlier.count}
	var ids []domain.UUID
	seen := make(map[domain.UUID]bool)
	for i := range e.earlier.count {
		entry := entries[e.earlier.sequence+domain.Sequence(i)]
		if entry == nil {
			continue
		}
		if answer.At.IsZero() {
			answer.At = entry.RecordedAt
		}
		answer.Erased = answer.Erased || entry.Erased
		if key := entry.SubjectKey; !key.IsZero() && !seen[key] {
			seen[key] = true
			ids = append(ids, key)
		}
	}
	if answer.Erased {
		return answer, nil
	}
	secret, err := tenant()
	if err != nil {
		return nil, err
	}
	subjects := make([]*seal.Secret, 0, len(ids))
	for _, id := range ids {
		s, err := found.Subject(id, e.request.Tenant)
		switch {
		case err != nil:
			return nil, err
		case s == nil: // erased since the entries were read
			answer.Erased = true
			return answer, nil
		}
		subjects = append(subjects, s)
	}
	digest, err := digestOf(secret, subjects, &e.request)
	if err != nil {
		return nil, err
	}
	answer.Same = bytes.Equal(e.earlier.digest, digest[:digestBytes])
	return answer, nil
}

const insertClaimsSQL = `
	INSERT INTO claims (mac, digest, sequence, count, tenant, proof, day)
	SELECT c.*, $7::date
	  FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::integer[], $5::text[], $6::bigint[]) AS c
	ON CONFLICT DO NOTHING`

// insertClaims inserts what the admitted groups claim and reports whether all of it was free. It is one statement under
// a savepoint: a look-up first would cost every append what only a repetition needs (facts: a fifth of the rate).
func insertClaims(ctx context.Context, tx pgx.Tx, admitted []*request, now time.Time) (free bool, err error) {
	var macs, digests [][]byte
	var sequences, proofs []int64
	var counts []int32
	var tenants []string
	for _, r := range admitted {
		for i, claim := range r.group.Claims {
			first := &r.drafts[claim.First]
			row := claimed{
				mac: r.macs[i], tenant: claim.Tenant, sequence: first.sequence, count: claim.Count, day: now.UTC(),
				digest: r.digests[i][:digestBytes],
			}
			proof, err := row.prove(first.keys.Tenant)
			if err != nil {
				return false, err
			}
			macs = append(macs, r.macs[i][:])
			digests = append(digests, row.digest)
			sequences = append(sequences, int64(row.sequence))
			counts = append(counts, int32(row.count))
			tenants = append(tenants, string(row.tenant))
			proofs = append(proofs, proof)
		}
	}
	if len(macs) == 0 {
		return true, nil
	}
	var batch pgx.Batch
	batch.Queue(`SAVEPOINT claims`)
	batch.Queue(insertClaimsSQL, macs, digests, sequences, counts, tenants, proofs, now.UTC())
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

// lookUpClaims undoes insertClaims and reads which of all the batch's claims are in the log.
func lookUpClaims(ctx context.Context, tx pgx.Tx, requests []*request) (map[claimMAC]claimed, error) {
	var macs [][]byte
	for _, r := range requests {
		for i := range r.macs {
			macs = append(macs, r.macs[i][:])
		}
	}
	if _, err := tx.Exec(ctx, `ROLLBACK TO SAVEPOINT claims`); err != nil {
		return nil, err
	}
	return readClaims(ctx, tx, macs)
}

// readClaims reads which claims are in the log.
func readClaims(ctx context.Context, db postgres.Querier, macs [][]byte) (map[claimMAC]claimed, error) {
	rows, err := db.Query(ctx, `SELECT `+claimColumns+` FROM claims c WHERE c.mac = ANY ($1)`, macs)
	if err != nil {
		return nil, err
	}
	list, err := scanClaims(rows)
	if err != nil {
		return nil, err
	}
	found := make(map[claimMAC]claimed, len(list))
	for i := range list {
		found[list[i].mac] = list[i]
	}
	return found, nil
}

// Claimed looks claims up without appending: for each, in order, who made it before, or nil. An append may make a claim
// right after, so an answer of nil promises nothing.
func (r *reader) Claimed(ctx context.Context, claims []domain.Claim) ([]*domain.ClaimedError, error) {
	macs, known := make([][]byte, 0, len(claims)), make([]claimMAC, len(claims))
	for i := range claims {
		tenant, err := r.keys.Tenant(ctx, claims[i].Tenant)
		if errors.Is(err, domain.ErrUnknownTenant) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look up claims: %w", err)
		}
		if known[i], err = macOf(tenant, &claims[i]); err != nil {
			return nil, fmt.Errorf("look up claims: %w", err)
		}
		macs = append(macs, known[i][:])
	}
	earlier := make([]*domain.ClaimedError, len(claims))
	if len(macs) == 0 {
		return earlier, nil
	}
	found, err := readClaims(ctx, r.vital, macs)
	if err != nil {
		return nil, postgres.DomainError("look up claims", err)
	}
	taken := make(map[domain.TenantID][]*takenError)
	for i := range claims {
		if c, ok := found[known[i]]; ok {
			taken[claims[i].Tenant] = append(taken[claims[i].Tenant], &takenError{claim: i, request: claims[i], earlier: c})
		}
	}
	for tenant, some := range taken {
		answers, err := r.compare(ctx, tenant, some)
		if err != nil {
			return nil, err
		}
		for _, a := range answers {
			earlier[a.Claim] = a
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
