package seal

import (
	"context"
	"errors"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// PutSecret stores a secret that a fact will name by id; store it before the fact is appended. purpose says what it is
// for, such as "endpoint.signing_key", and must be given again to read it. Storing the same id again is refused.
func (l *Log) PutSecret(ctx context.Context, tenant domain.TenantID, id domain.UUID, purpose string, secret []byte) error {
	if err := validateNames(string(tenant), purpose); err != nil {
		return fmt.Errorf("store a secret: %w", err)
	}
	sealed, err := l.master.aead.Encrypt(secret, secretContext(tenant, id, purpose))
	if err != nil {
		return fmt.Errorf("store a secret: %w", err)
	}
	const sql = `INSERT INTO secrets (id, tenant, purpose, sealed) VALUES ($1, $2, $3, $4)`
	_, err = l.pool.Exec(ctx, sql, [16]byte(id), string(tenant), purpose, sealed)
	return domainError("store a secret", err)
}

// Secret returns a stored secret, or domain.ErrNotFound.
func (l *Log) Secret(ctx context.Context, tenant domain.TenantID, id domain.UUID, purpose string) ([]byte, error) {
	const sql = `SELECT sealed FROM secrets WHERE id = $1 AND tenant = $2 AND purpose = $3`
	var sealed []byte
	err := l.pool.QueryRow(ctx, sql, [16]byte(id), string(tenant), purpose).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("read secret %s: %w", id, domain.ErrNotFound)
	}
	if err != nil {
		return nil, domainError("read a secret", err)
	}
	secret, err := l.master.aead.Decrypt(sealed, secretContext(tenant, id, purpose))
	if err != nil {
		return nil, fmt.Errorf("secret %s doesn't open with the master key (hint: HOOKTRAIL_MASTER_KEY_FILE must hold every key that is in use)", id)
	}
	return secret, nil
}

// DeleteSecret destroys a secret. That there is none isn't an error.
func (l *Log) DeleteSecret(ctx context.Context, tenant domain.TenantID, id domain.UUID) error {
	_, err := l.pool.Exec(ctx, `DELETE FROM secrets WHERE id = $1 AND tenant = $2`, [16]byte(id), string(tenant))
	return domainError("destroy a secret", err)
}

// Fingerprint tells a tenant's secrets apart: 16 characters that nobody without the instance's key can check a guess
// against. The same secret has different fingerprints in two tenants.
func (l *Log) Fingerprint(tenant domain.TenantID, secret []byte) string {
	return l.instance.fingerprint(tenant, secret)
}

// secretContext ties a sealed secret to its row and its use.
func secretContext(tenant domain.TenantID, id domain.UUID, purpose string) []byte {
	return []byte("hooktrail secret " + string(tenant) + " " + id.String() + " " + purpose)
}
