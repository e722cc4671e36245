package eventlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// decide decides, group by group and in order, what of the requests may be appended.
func (t *transaction) decide(ctx context.Context, requests []*request) (*batch, error) {
	b := &batch{stage: newStage(t.state, t.checked, t.log.drafter.sealDraft)}
	for _, r := range requests {
		r.restore()
		r.rejected = b.stage.admit(r)
		if errors.Is(r.rejected, errDecide) {
			var err error
			if r.rejected, err = t.decideAgain(ctx, b, r); err != nil {
				return nil, err
			}
			if r.rejected == nil {
				r.rejected = b.stage.admit(r)
			}
		}
		switch {
		case r.rejected != nil:
			b.rejected = append(b.rejected, r)
		case r.same != nil:
			b.repeated = append(b.repeated, r)
		default:
			b.admitted = append(b.admitted, r)
			b.entries += len(r.drafts)
		}
	}
	b.position = b.stage.position
	return b, nil
}

// decideAgain has a group decided by the newest configuration, and prepares what was decided, all of it under the lock.
// refusal refuses the group alone.
func (t *transaction) decideAgain(ctx context.Context, b *batch, r *request) (refusal, err error) {
	basis := r.group.Basis
	newer, err := t.newer(ctx, b, basis)
	if err != nil {
		return nil, fmt.Errorf("read the newer configuration of tenant %s: %w", basis.Tenant, err)
	}
	r.given = &given{r.group, r.drafts}
	r.group.Basis = nil
	if r.group.Drafts, r.group.Fences, refusal = basis.Decide(newer); refusal != nil {
		return fmt.Errorf("decide again by the configuration of tenant %s: %w", basis.Tenant, refusal), nil
	}
	if refusal := validate(r.group); refusal != nil {
		return refusal, nil
	}
	if refusal := t.log.format.check(ctx, t.log, &r.group); refusal != nil {
		return refusal, nil
	}
	r.drafts = newDrafts(r.group.Drafts)
	alone := []*request{r}
	if err := t.log.drafter.findOrigins(ctx, t.tx, alone); err != nil {
		return nil, err
	}
	if refusal := r.unknownTenant(); refusal != nil {
		return refusal, nil
	}
	if err := t.log.drafter.findKeys(ctx, t.tx, alone, t.checked.clock); err != nil {
		if errors.Is(err, domain.ErrKeyDestroyed) {
			return err, nil
		}
		return nil, err
	}
	if refusal := t.log.drafter.prepareGroup(r); refusal != nil {
		return refusal, nil
	}
	var checks pgx.Batch
	t.queueChecks(&checks, alone)
	if err := t.tx.SendBatch(ctx, &checks).Close(); err != nil {
		return nil, fmt.Errorf("check what was decided again: %w", err)
	}
	return nil, t.adopt(ctx, alone)
}

// newer reads the entries of a tenant that configure routing after those that a group was decided by, with those that
// the batch would add before the group.
func (t *transaction) newer(ctx context.Context, b *batch, basis *domain.Basis) ([]domain.Entry, error) {
	const sql = `
		SELECT ` + entryColumnsSQL + ` FROM entries
		 WHERE tenant = $1 AND sequence > $2 AND stream_kind IN ('tenant', 'endpoint', 'subscription') AND position > $2
		 ORDER BY sequence`
	rows, err := t.tx.Query(ctx, sql, string(basis.Tenant), int64(basis.Configuration))
	if err != nil {
		return nil, err
	}
	sealed, err := readRows(rows)
	if err != nil {
		return nil, err
	}
	entries, err := t.log.openEntries(ctx, t.tx, sealed)
	if err != nil {
		return nil, err
	}
	newer := entries[:0]
	for i := range entries {
		if entries[i].Kind.Configures() {
			newer = append(newer, entries[i])
		}
	}
	for _, r := range b.admitted {
		for i := range r.drafts {
			if p := &r.drafts[i]; p.Tenant == basis.Tenant && p.kind.Configures() {
				leaf := p.leafSoFar()
				p.leaf = leaf.Append(nil)
				newer = append(newer, p.entry())
			}
		}
	}
	return newer, nil
}
