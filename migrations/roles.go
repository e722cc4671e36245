package migrations

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The roles that nobody logs in as, one of each for the whole cluster.
const (
	OwnerRole   = "hooktrail_owner"  // owns schema and tables
	ServerGroup = "hooktrail_server" // holds the grants of those who serve
	EraserGroup = "hooktrail_eraser" // holds the grants of those who destroy secrets and forget claims
)

// raceTries bounds how often a change of roles is tried again because another migrator of the cluster, whom a lock in
// this database doesn't stop, made the same change.
const raceTries = 20

// makeRoles makes the three roles and hands schema public to the owner.
func makeRoles(ctx context.Context, cfg *pgx.ConnConfig) error {
	err := changeRoles(ctx, cfg, func(tx pgx.Tx) error {
		for _, role := range []string{OwnerRole, ServerGroup, EraserGroup} {
			if err := makeRole(ctx, tx, role, "NOLOGIN"); err != nil {
				return err
			}
		}
		if err := joinOwner(ctx, tx); err != nil {
			return err
		}
		return ownSchema(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("prepare the database's roles (the migrate URL needs a superuser, or the database's owner with CREATEROLE): %w", err)
	}
	return nil
}

// makeRole makes a role that may do nothing unless it is there already.
func makeRole(ctx context.Context, tx pgx.Tx, role, login string) error {
	var exists bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, role).Scan(&exists); err != nil || exists {
		return err
	}
	_, err := tx.Exec(ctx, `CREATE ROLE `+quote(role)+` NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT `+login)
	if err != nil {
		return fmt.Errorf("make role %s: %w", role, err)
	}
	return nil
}

// joinOwner makes sure that the migrating login can become the owner; a superuser always can.
func joinOwner(ctx context.Context, tx pgx.Tx) error {
	try, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	_, err = try.Exec(ctx, `SET LOCAL ROLE `+quote(OwnerRole))
	if undo := try.Rollback(ctx); undo != nil {
		return undo
	}
	if code(err) != insufficientPrivilege {
		return err
	}
	// Since Postgres 16 who makes a role administers it but isn't a member that could SET ROLE.
	if _, err := tx.Exec(ctx, `GRANT `+quote(OwnerRole)+` TO CURRENT_USER`); err != nil {
		return fmt.Errorf("become a member of %s: %w", OwnerRole, err)
	}
	return nil
}

// ownSchema hands schema public to the owner role.
func ownSchema(ctx context.Context, tx pgx.Tx) error {
	var owned, super bool
	var database string
	const sql = `
		SELECT pg_get_userbyid(n.nspowner) = $1, r.rolsuper, current_database()
		  FROM pg_namespace n, pg_roles r
		 WHERE n.nspname = 'public' AND r.rolname = current_user`
	if err := tx.QueryRow(ctx, sql, OwnerRole).Scan(&owned, &super, &database); err != nil {
		return fmt.Errorf("look at schema public: %w", err)
	}
	if owned {
		return nil
	}
	if !super { // whom Postgres lets give a schema away only to a role that could have made it
		if _, err := tx.Exec(ctx, `GRANT CREATE ON DATABASE `+quote(database)+` TO `+quote(OwnerRole)); err != nil {
			return fmt.Errorf("let %s create in database %s: %w", OwnerRole, database, err)
		}
	}
	if _, err := tx.Exec(ctx, `ALTER SCHEMA public OWNER TO `+quote(OwnerRole)); err != nil {
		return fmt.Errorf("give schema public to %s (hint: in Postgres 14 a superuser must do that once): %w", OwnerRole, err)
	}
	return nil
}

// EnsureServerRole makes sure that the role exists, may log in, has that password (empty: left alone; else printable
// ASCII) and is a member of [ServerGroup]. A role that could do more than serve is refused, never weakened: it may be somebody's.
func EnsureServerRole(ctx context.Context, migrateURL, role, password string) error {
	if slices.Contains([]string{"", OwnerRole, ServerGroup, EraserGroup}, role) {
		return fmt.Errorf("the server can't log in as role %q (hint: choose another name)", role)
	}
	cfg, err := parseURL(migrateURL)
	if err != nil {
		return err
	}
	change := `ALTER ROLE ` + quote(role) + ` LOGIN`
	if password != "" {
		verifier, err := scramVerifier(password)
		if err != nil {
			return err
		}
		change += ` PASSWORD '` + verifier + `'`
	}
	err = changeRoles(ctx, cfg, func(tx pgx.Tx) error {
		if err := makeRole(ctx, tx, role, "LOGIN"); err != nil {
			return err
		}
		if err := onlyServes(ctx, tx, role); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, change); err != nil {
			return fmt.Errorf("let it log in: %w", err)
		}
		_, err := tx.Exec(ctx, `GRANT `+quote(ServerGroup)+` TO `+quote(role))
		return err
	})
	if err != nil {
		return fmt.Errorf("prepare the server's role %s: %w", role, err)
	}
	return nil
}

// ErrMightyRole is returned for a server role that could get round the protection of the log.
var ErrMightyRole = errors.New("the role may do more than serve: it is a superuser, may make roles or databases, replicate or pass row-level " +
	"security, owns this database, or is a member of another role than " + ServerGroup + " (hint: name a role in the server's URL that isn't used for anything else)")

func onlyServes(ctx context.Context, tx pgx.Tx, role string) error {
	const sql = `
		SELECT r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
		    OR EXISTS (SELECT FROM pg_database d WHERE d.datname = current_database() AND d.datdba = r.oid)
		    OR EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
		                WHERE m.member = r.oid AND g.rolname <> $2)
		  FROM pg_roles r WHERE r.rolname = $1`
	var mighty bool
	if err := tx.QueryRow(ctx, sql, role, ServerGroup).Scan(&mighty); err != nil {
		return fmt.Errorf("look at its rights: %w", err)
	}
	if mighty {
		return ErrMightyRole
	}
	return nil
}

// ServerURL is the URL of the same database for the server's role, from a postgres:// URL.
func ServerURL(migrateURL, role, password string) (string, error) {
	u, err := url.Parse(migrateURL)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", errors.New("derive the server's database URL: the migrate URL doesn't begin with postgres://") // and may hold a password
	}
	query := u.Query()
	query.Del("user")
	query.Del("password")
	u.RawQuery = query.Encode()
	u.User = url.User(role)
	if password != "" {
		u.User = url.UserPassword(role, password)
	}
	return u.String(), nil
}

// changeRoles runs do in a transaction, again when another one of the cluster changed the same rows of the catalogue.
func changeRoles(ctx context.Context, cfg *pgx.ConnConfig, do func(pgx.Tx) error) (err error) {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	for try := 1; ; try++ {
		err := pgx.BeginFunc(ctx, conn, do)
		if !raced(err) || try == raceTries {
			return err
		}
		select {
		case <-time.After(time.Duration(try) * 10 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

const insufficientPrivilege = "42501"

// raced reports an error that a concurrent change of the same role explains: made meanwhile (its name taken, or the
// catalogue's unique index hit), or "tuple concurrently updated", which has no SQLSTATE of its own.
func raced(err error) bool {
	return slices.Contains([]string{"42710", "23505", "XX000"}, code(err))
}

// code is the SQLSTATE of err, empty if it has none.
func code(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
