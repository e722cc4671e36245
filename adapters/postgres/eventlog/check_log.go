package eventlog

import (
	"context"
	"fmt"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// CheckLog reads the log, as it is when the check begins, and computes everything again: positions, sequences, stream
// versions, times, leaves, contents against their commitments, tiles, roots, and what the tables beside the entries
// say. The error names the first thing that is wrong. It returns the position of the last entry that it checked. What
// it keeps in memory doesn't grow with the log.
func CheckLog(ctx context.Context, l *Log, options CheckOptions) (domain.Position, error) {
	tx, err := l.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return 0, postgres.DomainError("check the log", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // it only read
	c := newCheck(l, tx, options)
	defer c.commitments.close()
	if err := checkAll(ctx, c); err != nil {
		return c.position, fmt.Errorf("check the log: %w", err)
	}
	return c.position, nil
}

// checkAll runs every check. The tables beside the entries are held against what the entries say.
func checkAll(ctx context.Context, c *logCheck) error {
	if err := postgres.NoTimeout(ctx, c.tx); err != nil {
		return err
	}
	for _, check := range []func(context.Context) error{c.readHead, c.resume, c.entries} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	if len(c.damaged) > 0 {
		d := &c.damaged[0]
		return fmt.Errorf("entry at position %d, sequence %d of tenant %s (%d such entries): %w",
			d.position, d.damage.Sequence, d.tenant, len(c.damaged), d.problem)
	}
	for _, check := range []func(context.Context, *logCheck) error{
		checkHeads, checkTileCount, checkSecrets, checkNamedSecrets, checkClaims, checkLeases, checkInstanceName,
	} {
		if err := check(ctx, c); err != nil {
			return err
		}
	}
	return c.commitments.check()
}
