package eventlog

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Log is the log in Postgres, a domain.Log. Appends need Run to be running, once; reads don't. Safe for concurrent use.
type Log struct {
	reader
	appendConfig *pgx.ConnConfig
	listenConfig *pgx.ConnConfig
	logger       *slog.Logger
	metrics      *logMetrics
	name         string // of the instance, for tenants made from now on
	heads        headKey
	cursors      []byte // key
	vault        *seal.Vault
	clockAhead   time.Duration
	drafter      *drafter
	format       formatGate
	queue        *queue
	partitions   *partitions
	maxCatchUp   int
	appending    atomic.Uint32 // process id of the session that this process appends by
	neighbours   neighbours
}

var _ domain.Log = (*Log)(nil)

// InstanceName is the first half of the origin of tenants made from now on.
func (l *Log) InstanceName() string { return l.name }

// Pool is the one of reads. It ends with the Log.
func (l *Log) Pool() *pgxpool.Pool { return l.pool }

// Vault keeps the secrets of endpoints in the same database.
func (l *Log) Vault() *seal.Vault { return l.vault }

// Hash is an HMAC over texts under the tenant's own secret, for one purpose, such as "subject"; see seal.Keyring.
func (l *Log) Hash(ctx context.Context, tenant domain.TenantID, purpose string, texts ...string) ([32]byte, error) {
	return l.keys.Hash(ctx, tenant, purpose, texts...)
}

// Fingerprint tells a tenant's secrets apart: 16 characters against which nobody without the tenant's own secret can
// check a guess.
func (l *Log) Fingerprint(ctx context.Context, tenant domain.TenantID, secret []byte) (string, error) {
	return l.keys.Fingerprint(ctx, tenant, secret)
}

// CursorKey is the key that the cursors of lists are authenticated under: the same one in every process of the instance.
func (l *Log) CursorKey() []byte { return l.cursors }

// CheckKnown holds a new connection to what this process knows: ErrReplaced where the database lacks it. What the
// process remembers of another state of the database isn't read any more then.
func (l *Log) CheckKnown(ctx context.Context, conn *pgx.Conn) error {
	err := l.known.check(ctx, conn)
	if errors.Is(err, ErrReplaced) {
		l.recent.clear()
	}
	return err
}

// Leases returns those of the log's database.
func (l *Log) Leases() Leases { return Leases{l.vital, &l.neighbours} }
