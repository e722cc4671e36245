package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// readSettings are those of pooled connections, by the server's names.
var readSettings = map[string]string{"idle_in_transaction_session_timeout": "30s", "statement_timeout": "60s", "jit": "off"}

// Querier is what a pool, a connection and a transaction have in common.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Connection copies a configuration for connections that the server shows under the name, with settings of the session.
func Connection(base *pgx.ConnConfig, name string, settings map[string]string) *pgx.ConnConfig {
	c := base.Copy()
	c.RuntimeParams["application_name"] = name
	for setting, value := range settings {
		c.RuntimeParams[setting] = value
	}
	return c
}

// NewPool makes a pool of at most conns connections for reads and short transactions, which the server shows under the
// name. It ends statements of more than a minute, and transactions that are idle for half of one. Each of the checks is
// made on every new connection; one that fails keeps the connection from being used. Nothing is connected yet; the
// caller closes the pool.
func NewPool(
	ctx context.Context, url, name string, conns int, checks ...func(context.Context, *pgx.Conn) error,
) (*pgxpool.Pool, error) {
	config, err := ParseURL(url)
	if err != nil {
		return nil, err
	}
	if conns < 1 {
		return nil, fmt.Errorf("a pool of %d connections (hint: at least 1)", conns)
	}
	config.ConnConfig = Connection(config.ConnConfig, name, readSettings)
	config.MaxConns = int32(conns)
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		for _, check := range checks {
			if err := check(ctx, conn); err != nil {
				return err
			}
		}
		return nil
	}
	return pgxpool.NewWithConfig(ctx, config)
}

// NoTimeout takes the pool's bounds off one transaction, of an operator's command that reads everything.
func NoTimeout(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)`)
	return err
}

// ParseURL never quotes the URL, which may hold a password.
func ParseURL(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("read the database URL (postgres://user:password@host:port/database)")
	}
	return config, nil
}
