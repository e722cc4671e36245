package eventlog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

// Replaced reports what the database lacks of what the process with a KnownFile knew of it, nil where it lacks nothing.
// The Log must have been opened without that file.
func Replaced(ctx context.Context, l *Log, file string) (*domain.Loss, error) {
	k, err := openKnown(file)
	if err != nil {
		return nil, err
	}
	conn, err := l.pool.Acquire(ctx)
	if err != nil {
		return nil, postgres.DomainError("look for the last known entry", err)
	}
	defer conn.Release()
	if err := k.check(ctx, conn.Conn()); !errors.Is(err, ErrReplaced) {
		return nil, err
	}
	loss := &domain.Loss{Known: k.last.Position, KnownLeaf: k.last.Leaf}
	if loss.Head, err = l.Head(ctx); err != nil || loss.Head == 0 {
		return loss, err
	}
	leaf, err := leafAt(ctx, conn, loss.Head)
	if err != nil {
		return nil, postgres.DomainError("read the log's last entry", err)
	}
	sum := sha256.Sum256(leaf)
	loss.HeadLeaf = hex.EncodeToString(sum[:])
	return loss, nil
}

// AcceptLoss says in the instance's log what was lost and who goes on without it, and then has the process with the
// KnownFile know that entry as the last one. Run must be running, on a Log that was opened without the file; no server
// may run in the file's directory, for it would go on by what it knows.
func AcceptLoss(ctx context.Context, l *Log, file string, loss domain.Loss, by domain.Person, reason string) error {
	entries, err := domain.AppendOne(ctx, l, domain.Group{Drafts: []domain.Draft{{
		Tenant: domain.InstanceTenant, Stream: ofInstance(), Reason: reason, Subject: by.Subject(),
		Fact: &domain.LossAccepted{Loss: loss, Person: by},
	}}})
	if err != nil {
		return fmt.Errorf("accept the loss: %w", err)
	}
	k := &known{file: file}
	k.see(entries[0].Position, entries[0].Leaf)
	if err := k.write(); err != nil {
		return fmt.Errorf("keep the last known entry: %w", err)
	}
	return nil
}

// AcceptDamage says in a tenant's log that the content of an entry can't be opened, and who goes on without it:
// CheckLog then takes the entry as it is. Run must be running.
func AcceptDamage(
	ctx context.Context, l *Log, tenant domain.TenantID, sequence domain.Sequence, by domain.Person, reason string,
) error {
	after, upTo, err := span(ctx, l.pool, tenant, int64(sequence), int64(sequence)+1)
	if err != nil {
		return postgres.DomainError("read the damaged entry", err)
	}
	rows, err := l.pool.Query(ctx, entriesSQL, string(tenant), []int64{int64(sequence)}, int64(after), int64(upTo))
	if err != nil {
		return postgres.DomainError("read the damaged entry", err)
	}
	sealed, err := readRows(rows)
	switch {
	case err != nil:
		return postgres.DomainError("read the damaged entry", err)
	case len(sealed) == 0:
		return fmt.Errorf("tenant %s has no entry at sequence %d: %w", tenant, sequence, domain.ErrNotFound)
	}
	if _, err := sealed[0].checkLeaf(); err != nil {
		return fmt.Errorf("the entry is more than damaged: %w", err)
	}
	entries, err := l.openEntries(ctx, l.pool, sealed)
	if err != nil {
		return fmt.Errorf("open the damaged entry: %w", err)
	}
	if !entries[0].Damaged {
		return fmt.Errorf("the entry at sequence %d of tenant %s isn't damaged", sequence, tenant)
	}
	_, err = domain.AppendOne(ctx, l, domain.Group{Drafts: []domain.Draft{{
		Tenant: tenant, Stream: domain.Stream{Kind: domain.StreamDamage, ID: domain.NewUUID()},
		Reason: reason, Subject: by.Subject(), Fact: &domain.DamageAccepted{Damage: sealed[0].damage(), Person: by},
	}}})
	if err != nil {
		return fmt.Errorf("accept the damage: %w", err)
	}
	return nil
}

// damage is what a fact says of an entry whose content doesn't open.
func (e *sealedEntry) damage() domain.Damage {
	leaf, content := sha256.Sum256(e.Leaf), sha256.Sum256(e.content)
	return domain.Damage{Sequence: e.Sequence, Leaf: hex.EncodeToString(leaf[:]), Content: hex.EncodeToString(content[:])}
}
