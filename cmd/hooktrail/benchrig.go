package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktrail/hooktrail/adapters/localpg"
	"github.com/hooktrail/hooktrail/migrations"
	"github.com/hooktrail/hooktrail/openapi"
)

// rig is what a measurement runs on: a Postgres, a server and a receiver of its own.
type rig struct {
	dir       string
	postgres  *localpg.Server
	children  []*exec.Cmd
	server    *exec.Cmd
	receiving *exec.Cmd
	api       *apiClient
	receiver  *apiClient
	db        *pgx.Conn
	log       io.Writer
}

func startRig(ctx context.Context, log io.Writer) (r *rig, err error) {
	r = &rig{log: log}
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	if r.dir, err = os.MkdirTemp("", "hooktrail-bench-"); err != nil {
		return r, err
	}
	// Postgres may run as another account, which must be able to pass through.
	if err = os.Chmod(r.dir, 0o755); err != nil { //nolint:gosec // holds nothing but two directories of mode 0700
		return r, err
	}
	if r.postgres, err = localpg.Start(ctx, localpg.Config{Dir: filepath.Join(r.dir, postgresDir)}); err != nil {
		return r, err
	}
	adminURL, err := makeDatabase(ctx, r.postgres.URL())
	if err != nil {
		return r, err
	}
	if r.db, err = pgx.Connect(ctx, adminURL); err != nil {
		return r, err
	}
	address, err := r.startReceiver(ctx)
	if err != nil {
		return r, err
	}
	r.receiver = newClient("http://"+address, "")
	return r, r.startServer(ctx, adminURL)
}

// startReceiver returns the address that the child printed.
func (r *rig) startReceiver(ctx context.Context) (string, error) {
	child, err := r.command(ctx, "bench-receiver")
	if err != nil {
		return "", err
	}
	r.receiving = child
	out, err := child.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := r.start(child); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the receiver didn't start: %w", err)
	}
	return strings.TrimSpace(line), nil
}

func (r *rig) startServer(ctx context.Context, adminURL string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return err
	}
	key := openapi.NewKey()
	child, err := r.command(ctx, "serve")
	if err != nil {
		return err
	}
	r.server = child
	password, err := r.postgres.RolePassword(serverRole)
	if err != nil {
		return err
	}
	serverURL, err := migrations.ServerURL(adminURL, serverRole, password)
	if err != nil {
		return err
	}
	child.Env = append(os.Environ(), "HOOKTRAIL_LISTEN="+address, "HOOKTRAIL_ADMIN_KEY="+key,
		"HOOKTRAIL_DATA_DIR="+filepath.Join(r.dir, "server"), "HOOKTRAIL_EGRESS_ALLOW=127.0.0.0/8",
		"HOOKTRAIL_MIGRATE_URL="+adminURL, "HOOKTRAIL_DATABASE_URL="+serverURL, "HOOKTRAIL_LOG_LEVEL=WARN",
		"HOOKTRAIL_STOP_DELAY=0s")
	child.Stderr = r.log
	if err := r.start(child); err != nil {
		return err
	}
	r.api = newClient("http://"+address, key)
	return r.api.awaitReady(ctx)
}

func (r *rig) command(ctx context.Context, name string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	child := exec.CommandContext(ctx, self, name)
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = 10 * time.Second
	return child, nil
}

func (r *rig) start(child *exec.Cmd) error {
	if err := child.Start(); err != nil {
		return err
	}
	r.children = append(r.children, child)
	return nil
}

// stop ends the children, the server first, and removes what they wrote.
func (r *rig) stop() {
	slices.Reverse(r.children)
	for _, child := range r.children {
		_ = child.Process.Signal(syscall.SIGTERM)
		_ = child.Wait()
	}
	if r.db != nil {
		_ = r.db.Close(context.Background())
	}
	if r.postgres != nil {
		if err := r.postgres.Stop(); err != nil {
			fmt.Fprintln(r.log, "hooktrail: stop Postgres:", err)
		}
	}
	if err := os.RemoveAll(r.dir); err != nil {
		fmt.Fprintln(r.log, "hooktrail: remove the measurement's directory:", err)
	}
}

func (r *rig) say(format string, args ...any) { fmt.Fprintf(r.log, format+"\n", args...) }

// arrivals waits until the receiver has got n events since its last reset.
func (r *rig) arrivals(ctx context.Context, n int) (benchStatistics, error) {
	for {
		var seen benchStatistics
		if err := r.receiver.call(ctx, http.MethodGet, "/statistics", nil, &seen); err != nil {
			return seen, err
		}
		if seen.Count >= int64(n) {
			return seen, nil
		}
		select {
		case <-ctx.Done():
			return seen, fmt.Errorf("only %d of %d events arrived: %w", seen.Count, n, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// settle waits until nothing in the database changes any more: routing, views and deliveries have caught up.
func (r *rig) settle(ctx context.Context) error {
	const query = `SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_user_tables`
	var last int64 = -1
	quiet := 0
	for quiet < 3 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(400 * time.Millisecond):
		}
		var changes int64
		if err := r.db.QueryRow(ctx, query).Scan(&changes); err != nil {
			return err
		}
		if quiet++; changes-last > 20 { // heartbeats go on
			quiet = 0
		}
		last = changes
	}
	return nil
}

func (r *rig) processors() processors {
	own, _ := processStat(os.Getpid())
	return processors{
		Server: processorTime(r.server.Process.Pid), Postgres: processorTime(postmaster(filepath.Join(r.dir, postgresDir))),
		Receiver: processorTime(r.receiving.Process.Pid), Generator: own,
	}
}

// usage is what the database and the processes have used so far.
type usage struct {
	bytes            int64
	tables           map[string]int64
	cpu              processors
	entries, commits float64
}

func (r *rig) usage(ctx context.Context) (u usage, err error) {
	if u.bytes, u.tables, err = r.databaseBytes(ctx); err != nil {
		return u, err
	}
	u.cpu = r.processors()
	u.entries, u.commits, err = r.commits(ctx)
	return u, err
}

// activity is what processes and database have done so far.
type activity struct {
	cpu                processors
	transactions, rows float64
}

func (r *rig) activity(ctx context.Context) (a activity, err error) {
	// Backends report their counts at most once a second.
	select {
	case <-ctx.Done():
		return a, ctx.Err()
	case <-time.After(1500 * time.Millisecond):
	}
	const query = `
		SELECT xact_commit, tup_inserted + tup_updated + tup_deleted FROM pg_stat_database
		 WHERE datname = current_database()`
	a.cpu = r.processors()
	err = r.db.QueryRow(ctx, query).Scan(&a.transactions, &a.rows)
	return a, err
}

// commits reads from the server's metrics how many entries it has appended in how many commits.
func (r *rig) commits(ctx context.Context) (entries, commits float64, err error) {
	resp, err := r.api.send(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "hooktrail_log_batch_entries_sum":
			entries, err = strconv.ParseFloat(value, 64)
		case "hooktrail_log_batch_entries_count":
			commits, err = strconv.ParseFloat(value, 64)
		}
		if err != nil {
			return 0, 0, fmt.Errorf("read the server's metrics: %w", err)
		}
	}
	return entries, commits, nil
}

// databaseBytes is the size of the whole database, and of its tables with their indexes; partitions count as their
// parent.
func (r *rig) databaseBytes(ctx context.Context) (whole int64, tables map[string]int64, err error) {
	const query = `
		SELECT coalesce(i.inhparent::regclass::text, c.relname), sum(pg_total_relation_size(c.oid))::bigint
		  FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
		 WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1`
	rows, err := r.db.Query(ctx, query) //nolint:rowserrcheck // pgx.ForEachRow checks it
	if err != nil {
		return 0, nil, err
	}
	tables = map[string]int64{}
	var table string
	var size int64
	if _, err := pgx.ForEachRow(
		rows,
		[]any{&table, &size},
		func() error { tables[table] = size; return nil },
	); err != nil {
		return 0, nil, err
	}
	err = r.db.QueryRow(ctx, `SELECT pg_database_size(current_database())`).Scan(&whole)
	return whole, tables, err
}
