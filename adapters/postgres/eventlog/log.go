package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Settings of the sessions, by the server's names. idle_in_transaction_session_timeout frees the append lock of a
// process that was stopped; keepalives do so of one whose machine is gone. The appender's statements look rows up along
// an index, and nothing else: a plan made while a table was small must not scan it when it has grown, or bloated under
// a foreign snapshot.
var (
	appendSettings = map[string]string{
		"idle_in_transaction_session_timeout": "2s", "lock_timeout": "2500ms", "statement_timeout": "10s",
		"tcp_keepalives_idle": "2", "tcp_keepalives_interval": "1", "tcp_keepalives_count": "3",
		"jit": "off", "plan_cache_mode": "force_generic_plan",
		"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off",
	}
	listenSettings = map[string]string{"idle_in_transaction_session_timeout": "10s", "tcp_keepalives_idle": "10"}
)

// Config is what a Log is opened with.
type Config struct {
	// URL of the database, for the server's role.
	URL string
	// MasterKey seals the secrets of contents.
	MasterKey *seal.MasterKey
	// InstanceName is the first half of the origin of tenants made from now on. Empty: the one in the database, which
	// is random when the database is new.
	InstanceName string
	// Logger gets one line a change of state. Nil: slog.Default().
	Logger *slog.Logger
	// KnownFile is where the process keeps the last entry that it knows of, so that it notices after its next start if
	// an older copy of the database was put back. Empty: it only notices while it runs.
	KnownFile string
	// ClockAhead is by how much the database's clock may be ahead of this machine's; with more nothing is appended.
	// Zero: 10 s.
	ClockAhead time.Duration
	// Registerer takes the metrics. Nil: none are kept.
	Registerer prometheus.Registerer
	// ReadConnections bounds the pool of reads. What appends, authentication and readiness look up has a few
	// connections of its own. Zero: 8.
	ReadConnections int
	// QueuedEntries and QueuedBytes bound what waits to be appended; beyond, Append answers domain.ErrBusy. Zero:
	// 20,000 entries, 64 MiB.
	QueuedEntries int
	QueuedBytes   int
}

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

// Open connects to a migrated database. Close the Log when Run has returned.
func Open(ctx context.Context, config Config) (*Log, error) {
	if config.MasterKey == nil {
		return nil, errors.New("open the log: no master key")
	}
	if config.InstanceName != "" && !nameOK(config.InstanceName) {
		return nil, errors.New("open the log: an instance name has 1 to 128 characters of A-Z a-z 0-9 . _ - and begins with a letter or digit")
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	l := &Log{
		logger: config.Logger, metrics: newLogMetrics(config.Registerer),
		clockAhead: config.ClockAhead, maxCatchUp: maxCatchUp,
		queue: newQueue(orDefault(config.QueuedEntries, 20_000), orDefault(config.QueuedBytes, 64<<20)),
	}
	l.recent, l.growth = newRecent(), newGrowth()
	l.format.introduced = domain.Kind.Format
	if l.clockAhead <= 0 {
		l.clockAhead = defaultClockAhead
	}
	if err := l.open(ctx, config); err != nil {
		l.Close()
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return l, nil
}

// vitalConnections bounds the pool of what appends, authentication, followers and readiness look up.
const vitalConnections = 8

func orDefault(n, byDefault int) int {
	if n > 0 {
		return n
	}
	return byDefault
}

func (l *Log) open(ctx context.Context, config Config) (err error) {
	if l.known, err = openKnown(config.KnownFile); err != nil {
		return err
	}
	base, err := postgres.ParseURL(config.URL)
	if err != nil {
		return err
	}
	l.appendConfig = postgres.Connection(base.ConnConfig, "hooktrail append", appendSettings)
	l.listenConfig = postgres.Connection(base.ConnConfig, "hooktrail listen", listenSettings)
	if l.pool, err = postgres.NewPool(ctx, config.URL, "hooktrail", orDefault(config.ReadConnections, 8), l.CheckKnown); err != nil {
		return err
	}
	if l.vital, err = postgres.NewPool(ctx, config.URL, "hooktrail look-ups", vitalConnections, l.CheckKnown); err != nil {
		return err
	}
	if l.name, l.heads, l.cursors, err = openInstance(ctx, l.pool, config.MasterKey, config.InstanceName); err != nil {
		return err
	}
	l.vault = seal.NewVault(l.pool, config.MasterKey)
	if l.keys, err = seal.NewKeyring(l.vital, config.MasterKey); err != nil {
		return err
	}
	if l.codec, err = seal.NewCodec(l.keys); err != nil {
		return err
	}
	l.drafter = &drafter{
		pool: l.pool, name: l.name, heads: l.heads, keys: l.keys, codec: l.codec, origins: newOriginCache(),
	}
	l.partitions = newPartitions(l.pool, l.logger)
	return nil
}

// Close ends the connections. Not to be called while Run is running.
func (l *Log) Close() {
	if l.pool != nil {
		l.pool.Close()
	}
	if l.vital != nil {
		l.vital.Close()
	}
	if l.codec != nil {
		l.codec.Close()
	}
}

// Run appends what Append queues, listens for what others append, and makes partitions ahead of need. It returns nil
// some time after ctx ends, at most five seconds, when everything queued until then has been appended or answered. It
// can be called once. A database that goes away doesn't end it.
func (l *Log) Run(ctx context.Context) error {
	if err := l.queue.begin(); err != nil {
		return err
	}
	lasting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var group errgroup.Group
	group.Go(func() error {
		defer stop() // ends what only lasts as long as the appender
		(&appender{log: l, session: session{log: l, state: newState()}}).run(lasting)
		return nil
	})
	group.Go(func() error {
		l.known.run(lasting, l.logger)
		return nil
	})
	group.Go(func() error {
		(&listener{l.listenConfig, l.growth, &l.appending, l.CheckKnown, l.logger}).run(ctx)
		return nil
	})
	group.Go(func() error {
		l.partitions.run(ctx)
		return nil
	})
	<-ctx.Done()
	l.queue.end()
	timer := time.AfterFunc(drainTimeout, stop)
	defer timer.Stop()
	return group.Wait()
}

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

// originCache knows tenants' origins, which never change. Safe for concurrent use.
type originCache struct {
	mu   sync.RWMutex
	byID map[domain.TenantID]string
}

func newOriginCache() *originCache { return &originCache{byID: make(map[domain.TenantID]string)} }

func (c *originCache) get(tenant domain.TenantID) (string, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	origin, ok := c.byID[tenant]
	return origin, ok
}

func (c *originCache) put(tenant domain.TenantID, origin string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.byID) >= 100_000 {
		clear(c.byID)
	}
	c.byID[tenant] = origin
}
