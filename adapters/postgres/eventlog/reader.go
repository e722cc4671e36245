package eventlog

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5/pgxpool"
)

// reader reads the log, from the memory of this process or from the database, and opens what it reads. Safe for
// concurrent use.
type reader struct {
	pool   *pgxpool.Pool
	vital  *pgxpool.Pool // for followers and the short look-ups that mustn't wait for reads
	keys   *seal.Keyring
	codec  *seal.Codec
	known  *known
	recent *recent
	growth *growth
	starts atomic.Pointer[starts]
}

// Head implements domain.Log.
func (r *reader) Head(ctx context.Context) (domain.Position, error) {
	const sql = `SELECT coalesce((SELECT position FROM heads WHERE tenant = '' ORDER BY position DESC LIMIT 1), 0)`
	var head domain.Position
	if err := r.vital.QueryRow(ctx, sql).Scan(&head); err != nil {
		return 0, postgres.DomainError("read the log's head", err)
	}
	r.growth.grow(head)
	return head, nil
}

// Await implements domain.Log.
func (r *reader) Await(ctx context.Context, after domain.Position) {
	head, grown := r.growth.look()
	if head > after {
		return
	}
	timer := time.NewTimer(maxAwait)
	defer timer.Stop()
	select {
	case <-grown:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// openEntries opens the contents of entries. What can't be opened is marked as erased or damaged.
func (r *reader) openEntries(ctx context.Context, db postgres.Querier, sealed []sealedEntry) ([]domain.Entry, error) {
	return r.openFirst(ctx, db, sealed, math.MaxInt)
}

// openFirst opens the first entries, as openEntries does, until their contents have most bytes together: at least one.
func (r *reader) openFirst(
	ctx context.Context, db postgres.Querier, sealed []sealedEntry, most int,
) ([]domain.Entry, error) {
	entries := make([]domain.Entry, len(sealed))
	contents, of := make([]seal.Content, 0, len(sealed)), make([]int, 0, len(sealed))
	for i := range sealed {
		e := &sealed[i]
		context, err := e.checkLeaf()
		entries[i] = e.Entry
		switch {
		case err != nil:
			entries[i].Damaged = true
		case e.content != nil:
			contents = append(contents, seal.Content{Tenant: e.Tenant, Period: e.key, LeafContext: context, Sealed: e.content})
			of = append(of, i)
		}
	}
	open, err := r.codec.OpenFirst(ctx, db, contents, most)
	if err != nil {
		return nil, err
	}
	for n := range contents[:open] {
		take(&entries[of[n]], &contents[n])
	}
	if open < len(contents) {
		entries = entries[:of[open]]
	}
	return entries, nil
}
