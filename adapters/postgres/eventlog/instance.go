package eventlog

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/jackc/pgx/v5/pgxpool"
)

// instanceContext is the associated data of the instance's sealed value.
const instanceContext = "hooktrail instance secret"

// openInstance reads the database's instance row and makes it at the first start. It returns the instance's name for
// tenants made from now on, which is the configured one or, if that is empty, the one in the database, at the first
// start a random one; and the keys that heads and cursors are authenticated under.
func openInstance(
	ctx context.Context, pool *pgxpool.Pool, master *seal.MasterKey, configured string,
) (name string, heads headKey, cursors []byte, err error) {
	if err := makeInstance(ctx, pool, master, configured); err != nil {
		return "", nil, nil, fmt.Errorf("make the instance: %w", err)
	}
	var sealed []byte
	if err := pool.QueryRow(ctx, `SELECT name, secret FROM instance`).Scan(&name, &sealed); err != nil {
		return "", nil, nil, fmt.Errorf("read the instance: %w", err)
	}
	secret, err := master.Open(sealed, []byte(instanceContext))
	if err != nil {
		return "", nil, nil, errors.New("the master key doesn't open this database" +
			" (hint: HOOKTRAIL_MASTER_KEY_FILE must hold the key that the database was made with)")
	}
	if configured != "" {
		name = configured
	}
	heads, err = hkdf.Key(sha256.New, secret, nil, "hooktrail heads", sha256.Size)
	if err != nil {
		return "", nil, nil, fmt.Errorf("derive the key of heads: %w", err)
	}
	cursors, err = hkdf.Key(sha256.New, secret, nil, "hooktrail cursors", sha256.Size)
	if err != nil {
		return "", nil, nil, fmt.Errorf("derive the key of cursors: %w", err)
	}
	return name, heads, cursors, nil
}

func makeInstance(ctx context.Context, pool *pgxpool.Pool, master *seal.MasterKey, name string) error {
	var exists bool
	if err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM instance)`).Scan(&exists); err != nil || exists {
		return err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	if name == "" {
		name = "hooktrail-" + strings.ToLower(rand.Text()[:12])
	}
	sealed, err := master.Seal(secret, []byte(instanceContext))
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `INSERT INTO instance (name, secret) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, sealed)
	return err
}

// nameOK reports whether an instance's name can be part of origins.
func nameOK(name string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	return len(name) >= 1 && len(name) <= 128 && strings.Trim(name, allowed+"._-") == "" && strings.Contains(allowed, name[:1])
}
