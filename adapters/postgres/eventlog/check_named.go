package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// checkNamedSecrets checks that the secrets which live endpoints need are there. The server's role may delete secrets,
// since it destroys those that nothing names any more, and so may whoever has that role: nothing would be delivered any
// more, and the log would say nothing of it. A secret that isn't what it was stored as doesn't open (checkSecrets).
func checkNamedSecrets(ctx context.Context, c *logCheck) error {
	var now time.Time
	if err := c.tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
		return err
	}
	for tenant, t := range c.trees {
		if t.deleted {
			continue
		}
		named, err := c.namedSecrets(ctx, tenant, now)
		if err != nil {
			return fmt.Errorf("the endpoints of tenant %s: %w", tenant, err)
		}
		for endpoint, secrets := range named {
			ids, purposes := make([][16]byte, len(secrets)), make([]string, len(secrets))
			for i := range secrets {
				ids[i], purposes[i] = secrets[i].ID, secrets[i].Purpose
			}
			const sql = `
				SELECT n.id, n.purpose FROM unnest($2::uuid[], $3::text[]) AS n (id, purpose)
				 WHERE NOT EXISTS (SELECT FROM secrets s WHERE s.id = n.id AND s.tenant = $1 AND s.purpose = n.purpose) LIMIT 1`
			var id [16]byte
			var purpose string
			err := c.tx.QueryRow(ctx, sql, string(tenant), ids, purposes).Scan(&id, &purpose)
			if err == nil {
				return fmt.Errorf("secret %s (%s), which endpoint %s of tenant %s needs, is missing, and no fact says why"+
					" (hint: give the endpoint a new one; nothing was lost but the secret)", domain.UUID(id), purpose, endpoint, tenant)
			}
			if !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
		}
	}
	return nil
}

// namedSecrets are those that a tenant's endpoints need from a time on, by the last version of each. What an endpoint
// needs isn't known where the content of that version was destroyed. The log is read once more for it, by the index of
// what configures: an endpoint that an earlier check has read may be as it was, and its secrets gone since.
func (c *logCheck) namedSecrets(
	ctx context.Context, tenant domain.TenantID, now time.Time,
) (map[domain.UUID][]domain.NamedSecret, error) {
	named := make(map[domain.UUID][]domain.NamedSecret)
	for after := int64(-1); ; {
		const sql = `
			SELECT ` + entryColumnsSQL + ` FROM entries
			 WHERE tenant = $1 AND sequence > $2 AND stream_kind IN ('tenant', 'endpoint', 'subscription') AND stream_kind = 'endpoint'
			   AND position <= $3
			 ORDER BY sequence LIMIT 500`
		rows, err := c.tx.Query(ctx, sql, string(tenant), after, int64(c.position))
		if err != nil {
			return nil, err
		}
		sealed, err := readRows(rows)
		if err != nil || len(sealed) == 0 {
			return named, err
		}
		entries, err := c.log.openEntries(ctx, c.tx, sealed)
		if err != nil {
			return nil, err
		}
		for i := range entries {
			e := &entries[i]
			after = int64(e.Sequence)
			delete(named, e.Stream.ID)
			if e.Fact == nil || e.Kind == domain.KindEndpointDeleted {
				continue
			}
			if config := domain.EndpointConfigOf(e.Fact); config != nil {
				if secrets := config.Secrets(now); len(secrets) > 0 {
					named[e.Stream.ID] = secrets
				}
			}
		}
	}
}
