package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// The tables beside the entries are checked whole, also when a check goes on behind a position.

// checkTileCount finds tiles that no entries have.
func checkTileCount(ctx context.Context, c *logCheck) error {
	rows, err := c.tx.Query(ctx, `SELECT tenant, count(*) FROM tiles GROUP BY tenant`) //nolint:rowserrcheck // ForEachRow
	if err != nil {
		return err
	}
	have := make(map[domain.TenantID]int64)
	var tenant domain.TenantID
	var number int64
	if _, err := pgx.ForEachRow(rows, []any{&tenant, &number}, func() error {
		have[tenant] = number
		return nil
	}); err != nil {
		return err
	}
	for tenant, t := range c.trees {
		want := int64(0)
		for n := t.tree.size() / tileWidth; n > 0; n /= tileWidth {
			want += n
		}
		if have[tenant] != want {
			return fmt.Errorf("tenant %s has %d full tiles, expected %d", tenant, have[tenant], want)
		}
		delete(have, tenant)
	}
	for tenant := range have {
		return fmt.Errorf("there are tiles of tenant %s, which has no entries", tenant)
	}
	return nil
}

func checkHeads(ctx context.Context, c *logCheck) error {
	if c.head.position != c.position || c.position > 0 && !c.head.recordedAt.Equal(c.recordedAt) {
		return fmt.Errorf("the instance's head says position %d, the last entry is %d", c.head.position, c.position)
	}
	seen := make(map[domain.TenantID]bool)
	err := c.eachHead(ctx, `tenant <> ''`, func(tenant domain.TenantID, h *tenantHead) error {
		t := c.trees[tenant]
		switch {
		case seen[tenant]:
			return fmt.Errorf("tenant %s has several heads", tenant)
		case t == nil || t.tree.size() != h.size || t.origin != h.origin:
			return fmt.Errorf("the head of tenant %s doesn't fit its entries", tenant)
		case t.configuration != h.configuration || t.deleted != h.deleted:
			return fmt.Errorf("the head of tenant %s says something else of its configuration than the entries", tenant)
		case string(t.tree.bytes()) != string(h.frontier):
			return fmt.Errorf("the head of tenant %s has another root than its leaves", tenant)
		}
		t.claims = h.claims
		seen[tenant] = true
		return nil
	})
	if err == nil && len(seen) != len(c.trees) {
		err = fmt.Errorf("%d tenants have entries, %d have heads", len(c.trees), len(seen))
	}
	return err
}

// checkSecrets checks that every secret opens, which tells that its row is as it was made, and that destroyed ones say
// by which entry.
func checkSecrets(ctx context.Context, c *logCheck) error {
	if err := c.log.keys.CheckAll(ctx, c.tx); err != nil {
		return err
	}
	if err := c.log.vault.CheckAll(ctx, c.tx); err != nil {
		return err
	}
	const sql = `
		SELECT k.id::text FROM data_keys k
		 WHERE k.destroyed_at IS NOT NULL
		   AND NOT EXISTS (SELECT FROM entries e WHERE e.tenant = k.tenant AND e.sequence = k.destroyed_by) LIMIT 1`
	return findNone(ctx, c, sql, "data key %s was destroyed by no entry")
}

// checkClaims checks that claims are as they were made, that what they name is there, and that none is missing.
func checkClaims(ctx context.Context, c *logCheck) error {
	last := make([]byte, 0, len(claimMAC{}))
	found := make(map[domain.TenantID]claimTally)
	for {
		const sql = `SELECT ` + claimColumns + ` FROM claims c WHERE c.mac > $1 ORDER BY c.mac LIMIT 5000`
		rows, err := c.tx.Query(ctx, sql, last)
		if err != nil {
			return err
		}
		page, err := scanClaims(rows)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for i := range page {
			made := &page[i]
			last = append(last[:0], made.mac[:]...)
			tally := found[made.tenant]
			tally.add(made.mac)
			found[made.tenant] = tally
			tenant, err := c.log.keys.Tenant(ctx, made.tenant)
			if errors.Is(err, domain.ErrKeyDestroyed) {
				continue
			}
			if err != nil {
				return fmt.Errorf("claim %x: %w", made.mac, err)
			}
			proof, err := made.prove(tenant)
			if err != nil {
				return err
			}
			t := c.trees[made.tenant]
			if proof != made.proof || t == nil || int64(made.sequence)+int64(made.count) > t.tree.size() {
				return fmt.Errorf("claim %x was changed", made.mac)
			}
		}
	}
	for tenant, t := range c.trees {
		if have := found[tenant]; have != t.claims {
			return fmt.Errorf("tenant %s has %d claims that aren't all those of its head, which says %d", tenant, have.number, t.claims.number)
		}
	}
	return nil
}

// findNone runs a query that finds nothing if all is well, else one text.
func findNone(ctx context.Context, c *logCheck, sql, problem string) error {
	var found string
	err := c.tx.QueryRow(ctx, sql).Scan(&found)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf(problem, found)
}

// checkLeases checks that leases are held as the log says.
func checkLeases(ctx context.Context, c *logCheck) error {
	rows, err := c.tx.Query(ctx, `SELECT name, owner, epoch, partings FROM leases`) //nolint:rowserrcheck // pgx.ForEachRow checks it
	if err != nil {
		return err
	}
	var name string
	var owner [16]byte
	var epoch int64
	var partings []domain.Parting
	_, err = pgx.ForEachRow(rows, []any{&name, &owner, &epoch, &partings}, func() error {
		said := c.leases[name]
		if said.Owner != owner || said.Epoch != epoch {
			return fmt.Errorf("lease %s isn't held as the log says: epoch %d, expected %d", name, epoch, said.Epoch)
		}
		if !slices.EqualFunc(said.Partings, partings, func(a, b domain.Parting) bool {
			return a.Node == b.Node && a.Epoch == b.Epoch && a.Until.Equal(b.Until)
		}) {
			return fmt.Errorf("lease %s isn't parted with as the log says", name)
		}
		delete(c.leases, name)
		return nil
	})
	if err != nil {
		return err
	}
	for name := range c.leases {
		return fmt.Errorf("lease %s, of which the log speaks, isn't there", name)
	}
	return nil
}

func checkInstanceName(ctx context.Context, c *logCheck) error {
	t := c.trees[domain.InstanceTenant]
	if t == nil {
		return nil
	}
	var name string
	if err := c.tx.QueryRow(ctx, `SELECT name FROM instance`).Scan(&name); err != nil {
		return fmt.Errorf("read the instance's name: %w", err)
	}
	if t.origin != name+"/"+string(domain.InstanceTenant) {
		return fmt.Errorf("the instance is called %s, its own log has origin %s", name, t.origin)
	}
	return nil
}
