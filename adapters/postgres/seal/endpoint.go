package seal

import (
	"context"
	"errors"
	"fmt"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Vault keeps the secrets of endpoints: signing keys and credentials. Safe for concurrent use.
type Vault struct {
	pool   *pgxpool.Pool
	master *MasterKey
}

// NewVault makes a vault in the database of the pool.
func NewVault(pool *pgxpool.Pool, master *MasterKey) *Vault { return &Vault{pool, master} }

// PutSecret stores a secret that a fact will name by id; store it before the fact is appended. purpose says what it is
// for, such as "endpoint.signing_key", and must be given again to read it. Storing the same id again is refused.
func (v *Vault) PutSecret(
	ctx context.Context, tenant domain.TenantID, id domain.UUID, purpose string, secret []byte,
) error {
	sealed, err := v.master.aead.Encrypt(secret, secretContext(tenant, id, purpose))
	if err != nil {
		return fmt.Errorf("store a secret: %w", err)
	}
	const sql = `INSERT INTO secrets (id, tenant, purpose, sealed) VALUES ($1, $2, $3, $4)`
	_, err = v.pool.Exec(ctx, sql, [16]byte(id), string(tenant), purpose, sealed)
	return postgres.DomainError("store a secret", err)
}

// Secret returns a stored secret, or domain.ErrNotFound.
func (v *Vault) Secret(ctx context.Context, tenant domain.TenantID, id domain.UUID, purpose string) ([]byte, error) {
	const sql = `SELECT sealed FROM secrets WHERE id = $1 AND tenant = $2 AND purpose = $3`
	var sealed []byte
	err := v.pool.QueryRow(ctx, sql, [16]byte(id), string(tenant), purpose).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("read secret %s: %w", id, domain.ErrNotFound)
	}
	if err != nil {
		return nil, postgres.DomainError("read a secret", err)
	}
	secret, err := v.master.aead.Decrypt(sealed, secretContext(tenant, id, purpose))
	if err != nil {
		return nil, fmt.Errorf("secret %s doesn't open with the master key (hint: HOOKTRAIL_MASTER_KEY_FILE must hold every key that is in use)", id)
	}
	return secret, nil
}

// DeleteSecret destroys a secret. That there is none isn't an error.
func (v *Vault) DeleteSecret(ctx context.Context, tenant domain.TenantID, id domain.UUID) error {
	_, err := v.pool.Exec(ctx, `DELETE FROM secrets WHERE id = $1 AND tenant = $2`, [16]byte(id), string(tenant))
	return postgres.DomainError("destroy a secret", err)
}

// secretContext ties a sealed secret to its row and its use.
func secretContext(tenant domain.TenantID, id domain.UUID, purpose string) []byte {
	b := []byte("hooktrail secret")
	for _, text := range []string{string(tenant), string(id[:]), purpose} {
		b = appendCounted(b, text)
	}
	return b
}

// CheckAll opens every secret of endpoints: one whose row was changed doesn't open.
func (v *Vault) CheckAll(ctx context.Context, db postgres.Querier) error {
	rows, err := db.Query(ctx, `SELECT id, tenant, purpose, sealed FROM secrets`) //nolint:rowserrcheck // ForEachRow checks it
	if err != nil {
		return postgres.DomainError("read the secrets of endpoints", err)
	}
	var id [16]byte
	var tenant domain.TenantID
	var purpose string
	var sealed []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &tenant, &purpose, &sealed}, func() error {
		if _, err := v.master.aead.Decrypt(sealed, secretContext(tenant, id, purpose)); err != nil {
			return fmt.Errorf("secret %s doesn't open: its row was changed, or the master key lacks a key", domain.UUID(id))
		}
		return nil
	})
	return err
}
