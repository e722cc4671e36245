package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/hooktrail/hooktrail/adapters/courier"
	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/adapters/export"
	"github.com/hooktrail/hooktrail/adapters/filter"
	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/adapters/reconcile"
	"github.com/hooktrail/hooktrail/adapters/replay"
	"github.com/hooktrail/hooktrail/adapters/schema"
	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/adapters/webhook/guide"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
	"github.com/hooktrail/hooktrail/projections"
)

type serveCommand struct {
	Storage storageFlags `embed:""`
	Egress  egressFlags  `embed:""`
	Formats profileFlags `embed:""`
	Log     logFlags     `embed:""`
	Debug   debugFlags   `embed:""`
	Exports exportFlags  `embed:""`

	Listen       string         `name:"listen" env:"HOOKTRAIL_LISTEN" default:"127.0.0.1:8080" help:"Address of the API."`
	AdminKey     string         `name:"admin-key" env:"HOOKTRAIL_ADMIN_KEY" help:"The first operator key, 32 or more visible characters; give it as the variable. Unset at the first start: one is made and kept in operator.key in the data directory; a terminal is shown it, once."`
	Origin       string         `name:"webhook-origin" env:"HOOKTRAIL_WEBHOOK_ORIGIN" help:"DNS name by which receivers know this instance in CloudEvents handshakes (such as hooks.bank.example); the machine's name by default."`
	StopDelay    *time.Duration `name:"stop-delay" env:"HOOKTRAIL_STOP_DELAY" help:"How long a server that is told to stop goes on with a red /readyz, so that load balancers send nothing any more when its port closes (default: 5s; 0s where a terminal shows its log)."`
	MaxDataBytes int            `name:"max-data-bytes" env:"HOOKTRAIL_MAX_DATA_BYTES" default:"262144" help:"Largest event data that is accepted."`
}

// Run serves until it is interrupted, then finishes what is under way within a bound.
func (c serveCommand) Run(ctx context.Context, p process) error {
	egress, err := c.validate()
	if err != nil {
		return err
	}
	formats, err := c.Formats.read()
	if err != nil {
		return err
	}
	log := c.Log.logger(os.Stderr)
	limitMemory(log, c.Storage.DatabaseURL == "")
	files, err := openFiles()
	if err != nil {
		return err
	}
	share, err := shareDescriptors(files)
	if err != nil {
		return err
	}
	dir, err := dataDir(c.Storage.DataDir)
	if err != nil {
		return err
	}
	if err := c.Storage.makeDataDir(dir, log); err != nil {
		return err
	}
	n, err := newNode(dir)
	if err != nil {
		return err
	}
	defer func() { _ = n.Close() }() // the kernel drops the lock in any case
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s (HOOKTRAIL_LISTEN chooses another address): %w", c.Listen, err)
	}
	s := &server{
		serveCommand: c, process: p, dir: dir, egress: egress, log: log, node: n, listener: listener, share: share,
		profileFiles: formats, gate: newGate(ctx, listener, share.api, log, "This node starts and is waiting for the database."),
	}
	defer func() { _ = s.gate.web.Close() }() // where serveHTTP didn't get to close it
	if s.storage, err = c.Storage.start(ctx, dir, log); err != nil {
		if ctx.Err() != nil { // told to stop meanwhile
			log.Info("stopped while Postgres started", slog.Any("error", err))
			return nil
		}
		return err
	}
	return errors.Join(s.run(ctx), s.storage.Close())
}

func (c serveCommand) validate() (egress, error) {
	if err := c.Storage.validate(); err != nil {
		return egress{}, err
	}
	if err := c.Debug.validate(); err != nil {
		return egress{}, err
	}
	if err := c.Exports.validate(); err != nil {
		return egress{}, err
	}
	if c.MaxDataBytes < 1024 || c.MaxDataBytes > 4<<20 {
		return egress{}, usagef("HOOKTRAIL_MAX_DATA_BYTES lies between 1024 and 4194304")
	}
	if c.StopDelay != nil && (*c.StopDelay < 0 || *c.StopDelay > 5*time.Minute) {
		return egress{}, usagef("HOOKTRAIL_STOP_DELAY lies between 0s and 5m")
	}
	if c.Origin != "" && webhook.CheckOrigin(c.Origin) != nil {
		return egress{}, usagef("HOOKTRAIL_WEBHOOK_ORIGIN is a DNS name such as hooks.bank.example")
	}
	if c.AdminKey != "" && !visible(c.AdminKey, 32) {
		return egress{}, usagef("HOOKTRAIL_ADMIN_KEY has 32 or more visible ASCII characters (openssl rand -base64 32 makes one)")
	}
	return c.Egress.egress()
}

func visible(s string, least int) bool {
	return len(s) >= least && !slices.ContainsFunc([]byte(s), func(b byte) bool { return b <= ' ' || b > '~' })
}

// server is a serve command with what it has opened.
type server struct {
	serveCommand
	process  process
	dir      string
	egress   egress
	log      *slog.Logger
	node     *node
	storage  *storage
	listener net.Listener
	gate     *gate
	share    descriptors

	registry  *prometheus.Registry
	entries   *eventlog.Log
	vault     *seal.Vault
	reads     *pgxpool.Pool // of the views
	follower  *views.Follower
	views     *views.Views
	directory *projections.Directory
	courier   *courier.Courier
	exports   *export.Runner
	profiles  *courier.Profiles

	profileFiles []profileFile
	filters      *filter.Filters
}

// userAgent is what receivers are told of the program.
const userAgent = "Hooktrail/" + version

// stopDelay is how long a server goes on before it stops, unless it is told otherwise: the probes of load balancers and
// Kubernetes come every few seconds.
const stopDelay = 5 * time.Second

// shutdownBound is how long attempts under way may take once the server stops. README names the sum of this, stopDelay
// and all that follows: change it there, too.
const shutdownBound = 20 * time.Second

// run opens the log and serves. Two groups end one after the other: first what makes work (API, dispatcher), then what
// the work needs (log, views).
func (s *server) run(ctx context.Context) error {
	base, baseCtx := errgroup.WithContext(context.WithoutCancel(ctx))
	baseCtx, stopBase := context.WithCancel(baseCtx)
	defer stopBase()
	base.Go(func() error { return s.storage.keepPrivate(baseCtx, s.log) })
	if err := s.openWhole(ctx, baseCtx.Done()); err != nil {
		stopBase()
		if err = errors.Join(err, base.Wait()); onlyEnded(err) && ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer s.close()
	s.gate.refuse("This node starts: it has its database and is not ready yet.")
	base.Go(func() error { return s.entries.Run(baseCtx) })

	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	defer context.AfterFunc(ctx, func() {
		s.part(working)
		stopWork()
	})()
	work, workCtx := errgroup.WithContext(working)
	baseLives := context.AfterFunc(baseCtx, func() { work.Go(func() error { return errBaseEnded }) })
	work.Go(func() error { return s.work(workCtx, base, baseCtx, work) })
	err := work.Wait()
	baseLives() // from here on its end is wanted
	stopBase()
	if err := errors.Join(base.Wait(), err); !onlyEnded(err) {
		return err
	}
	s.log.Info("stopped")
	return nil
}

// part lets clients go once the server was told to stop: it goes on as before, deliveries included, but for a red /readyz,
// so that what balances load sends nothing any more when the port closes. It returns when they have had the time for
// that, or working ends.
func (s *server) part(working context.Context) {
	delay := stopDelay
	if s.StopDelay != nil {
		delay = *s.StopDelay
	} else if isTerminal(s.process.stderr) {
		delay = 0
	}
	s.log.Info("stopping: a second signal ends the process at once", slog.Duration("red_before", delay))
	if !s.gate.part() {
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-working.Done():
	}
}

// errBaseEnded stops the work when what it needs has ended; the cause is what that ended with.
var errBaseEnded = errors.New("the log or the views ended")

// onlyEnded reports whether nothing but being told to stop ended the server.
func onlyEnded(err error) bool {
	return err == nil || errors.Is(err, context.Canceled) && !errors.Is(err, errBaseEnded)
}

// work prepares the instance, then starts everything else.
func (s *server) work(ctx context.Context, base *errgroup.Group, baseCtx context.Context, work *errgroup.Group) error {
	if err := eventlog.Bootstrap(ctx, s.entries); err != nil {
		return err
	}
	if err := s.wire(ctx); err != nil {
		return err
	}
	base.Go(func() error { return s.follower.Run(baseCtx) })
	base.Go(func() error { return s.followDirectory(baseCtx) })
	// A directory that stops has closed the API for good, and what is added here is of use to nobody else: the rest goes
	// on.
	if err, stop := s.prepare(ctx), new(domain.FollowerStop); err != nil && !errors.As(err, &stop) {
		return err
	}
	if err := s.sayStarted(ctx); err != nil {
		return err
	}
	dispatcher, err := s.dispatcher()
	if err != nil {
		return err
	}
	reconciler, err := reconcile.New(reconcile.Config{
		Log: s.entries, Views: s.views, Dir: filepath.Join(s.dir, reconciliationsDir), Logger: s.log,
	})
	if err != nil {
		return err
	}
	work.Go(func() error { return dispatcher.Run(ctx) })
	work.Go(func() error { return reconciler.Run(ctx) })
	work.Go(func() error { return s.replays().Run(ctx) })
	work.Go(func() error { return s.serveHTTP(ctx, dispatcher, reconciler) })
	work.Go(func() error { return s.Debug.serve(ctx, s.registry) })
	work.Go(func() error { return s.exports.Run(ctx) })
	work.Go(func() error { return sweeper{s.views.SweepSecrets, s.log}.run(ctx) })
	return nil
}

// reconciliationsDir is where reconciliations under way keep receivers' ids.
const reconciliationsDir = "reconciliations"

// prepare puts into the log what an instance begins with: the operator's key and wire formats.
func (s *server) prepare(ctx context.Context) error {
	if err := s.operatorKey(ctx); err != nil {
		return err
	}
	if err := s.addBuiltIn(ctx); err != nil {
		return err
	}
	return s.addProfiles(ctx)
}

// open migrates, loads the master key and opens the log and what reads it.
func (s *server) open(ctx context.Context) error {
	known := filepath.Join(s.dir, knownFile)
	if err := s.storage.migrate(ctx, known); err != nil {
		return err
	}
	master, err := s.Storage.masterKey(s.dir)
	if err != nil {
		return err
	}
	s.registry = prometheus.NewRegistry()
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.entries, err = eventlog.Open(ctx, eventlog.Config{
		URL: s.storage.url, MasterKey: master, InstanceName: s.Storage.InstanceName, Logger: s.log, Registerer: s.registry,
		KnownFile: known,
	})
	if err != nil {
		return err
	}
	// What is read of views is of the database that this node knows, too.
	if s.reads, err = postgres.NewPool(ctx, s.storage.url, "hooktrail views", viewConnections, s.entries.CheckKnown); err != nil {
		s.entries.Close()
		return err
	}
	s.vault = seal.NewVault(s.entries.Pool(), master)
	return nil
}

// knownFile is where this node keeps the last entry that it knows of.
const knownFile = "known-entry.json"

// viewConnections bounds the pool of the views: the follower's and those of readers.
const viewConnections = 12

func (s *server) close() {
	s.reads.Close()
	s.entries.Close()
}

// wire makes the parts that need a log which runs.
func (s *server) wire(ctx context.Context) (err error) {
	embedded, err := webhook.Embedded()
	if err != nil {
		return err
	}
	sender, err := webhook.NewSender(webhook.SenderConfig{
		Guard: s.guard(ctx), ExtraCAs: s.egress.authorities, Logger: s.log,
	})
	if err != nil {
		return err
	}
	if s.filters, err = filter.New(); err != nil {
		return err
	}
	s.follower = views.NewFollower(views.FollowerConfig{
		Pool: s.reads, Log: s.entries, Logger: s.log, Registerer: s.registry,
	})
	s.views = views.NewViews(s.reads, s.entries, s.follower)
	if s.directory, err = s.views.LoadDirectory(ctx); err != nil {
		return err
	}
	added := addedProfiles{s.directory, s.directoryIsCurrent}
	s.profiles = courier.NewProfiles(embedded, added, s.log)
	s.courier, err = courier.New(courier.Config{
		Sender: sender, Profiles: s.profiles, Secrets: s.vault, UserAgent: userAgent,
		Origin: webhookOrigin(s.Origin),
	})
	if err != nil {
		return err
	}
	return s.openExports(ctx)
}

// directoryIsCurrent returns when the directory knows all that was committed before the call.
func (s *server) directoryIsCurrent(ctx context.Context) error {
	head, err := s.entries.Head(ctx)
	if err != nil {
		return err
	}
	return s.directory.Await(ctx, head)
}

// replays moves on what is sent again in bulk.
func (s *server) replays() *replay.Runner {
	return replay.New(replay.Settings{
		Log: s.entries, State: s.views, Leases: s.entries.Leases(), Node: s.node.id, Displaced: s.node.displaced,
		Logger: s.log,
	})
}

func (s *server) dispatcher() (*dispatch.Dispatcher, error) {
	return dispatch.New(dispatch.Settings{
		Log: s.entries, State: s.views, Leases: s.entries.Leases(), Sender: s.courier, Filter: s.filters.Lazy,
		Node: s.node.id, Displaced: s.node.displaced, Grace: shutdownBound, Attempts: s.share.attempts, Logger: s.log, Metrics: s.registry,
	})
}

// serveHTTP answers until ctx ends, then lets requests under way finish.
func (s *server) serveHTTP(
	ctx context.Context, dispatcher *dispatch.Dispatcher, reconciler *reconcile.Reconciler,
) error {
	webhooks, err := webhooksOf(s.profiles.Embedded())
	if err != nil {
		return err
	}
	handler, err := openapi.NewHandler(openapi.Server{
		Log: dispatcher.Router(), Lanes: dispatcher, Claims: s.entries, Settler: s.entries, Views: s.views, Directory: s.directory,
		Vault: s.vault, Fingerprints: s.entries, Schemas: schema.NewCache(), Filters: s.filters,
		Profiles: webhook.Offers{
			Embedded: s.profiles.Embedded(), Known: s.profiles.All, UserAgent: userAgent,
		},
		Previewer: dispatch.Previewer{Filter: s.filters.Lazy}, Courier: s.courier,
		Replays: replay.Previewer{Log: s.entries, State: s.views}, Reconciler: reconciler,
		Guides: guide.Guides{Known: s.profiles.All}, Readiness: &readiness{check: s.entries.Ready}, Exports: s.exports,
		CursorKey: s.entries.CursorKey(), Node: s.node.id, Webhooks: webhooks, Metrics: promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}),
		Logger: s.log, Version: version, Limits: openapi.Limits{
			DataBytes: s.MaxDataBytes, HeldBytes: heldBytes(), ExportKeep: s.Exports.Keep,
		},
	})
	if err != nil {
		return err
	}
	if s.gate.open(handler) {
		s.log.Info("serving", slog.String("address", "http://"+s.gate.address),
			slog.String("version", fullVersion()), slog.String("node", s.node.id.String()))
	}
	select {
	case err := <-s.gate.ended:
		return err
	case <-ctx.Done():
	}
	return s.gate.close(s.log)
}
