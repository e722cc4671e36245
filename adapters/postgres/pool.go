package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Settings of the connections, by the server's names. idle_in_transaction_session_timeout frees the append lock of a process
// that was stopped; keepalives do so of one whose machine is gone. The appender's statements look rows up along an index, and
// nothing else: a plan made while a table was small must not scan it when it has grown, or bloated under a foreign snapshot.
var (
	appendSettings = map[string]string{
		"idle_in_transaction_session_timeout": "2s", "lock_timeout": "2500ms", "statement_timeout": "10s",
		"tcp_keepalives_idle": "2", "tcp_keepalives_interval": "1", "tcp_keepalives_count": "3",
		"jit": "off", "plan_cache_mode": "force_generic_plan",
		"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off",
	}
	listenSettings = map[string]string{"idle_in_transaction_session_timeout": "10s", "tcp_keepalives_idle": "10"}
	readSettings   = map[string]string{"idle_in_transaction_session_timeout": "30s", "statement_timeout": "60s", "jit": "off"}
)

func connection(base *pgx.ConnConfig, name string, settings map[string]string) *pgx.ConnConfig {
	c := base.Copy()
	c.RuntimeParams["application_name"] = name
	for setting, value := range settings {
		c.RuntimeParams[setting] = value
	}
	return c
}

// NewPool makes a pool of at most conns connections for reads and short transactions, which the server shows under the
// name. It ends statements of more than a minute, and transactions that are idle for half of one. Nothing is connected
// yet; the caller closes the pool.
func NewPool(ctx context.Context, url, name string, conns int) (*pgxpool.Pool, error) {
	config, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	if conns < 1 {
		return nil, fmt.Errorf("a pool of %d connections (hint: at least 1)", conns)
	}
	config.ConnConfig = connection(config.ConnConfig, name, readSettings)
	config.MaxConns = int32(conns)
	return pgxpool.NewWithConfig(ctx, config)
}

// noTimeout takes the pool's bounds off one transaction, of an operator's command that reads everything.
func noTimeout(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)`)
	return err
}

// parseURL never quotes the URL, which may hold a password.
func parseURL(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("read the database URL (postgres://user:password@host:port/database)")
	}
	return config, nil
}
