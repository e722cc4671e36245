// Package sealtest destroys secrets in tests, as the erasing role does it.
package sealtest

import (
	"context"
	"errors"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations"
	"github.com/jackc/pgx/v5"
)

// Destroy destroys the secret with an id, such as an entry's SubjectKey, under the append lock, and leaves its tombstone. by is
// the sequence of the entry that would say so; it must be there for a check of the log to hold. adminURL is that of a superuser.
func Destroy(t testing.TB, adminURL string, key domain.UUID, by domain.Sequence) {
	t.Helper()
	admin, err := pgx.Connect(t.Context(), adminURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(context.Background()) }() // nothing depends on it
	err = pgx.BeginFunc(t.Context(), admin, func(tx pgx.Tx) error {
		for _, sql := range []string{
			`SET LOCAL ROLE ` + migrations.EraserGroup, `SELECT pg_advisory_xact_lock(hashtextextended('hooktrail/log', 0))`,
		} {
			if _, err := tx.Exec(t.Context(), sql); err != nil {
				return err
			}
		}
		const destroy = `
			UPDATE data_keys SET wrapped = NULL, destroyed_at = clock_timestamp(), destroyed_by = $2
			 WHERE id = $1 AND destroyed_at IS NULL`
		tag, err := tx.Exec(t.Context(), destroy, [16]byte(key), int64(by))
		if err == nil && tag.RowsAffected() != 1 {
			err = errors.New("there is no such key")
		}
		return err
	})
	if err != nil {
		t.Fatalf("destroy %s: %v", key, err)
	}
}
