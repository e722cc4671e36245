package localpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

const (
	// pollEvery is how often the files and processes that give no notice are looked at.
	pollEvery = 10 * time.Millisecond
	// startTimeout bounds a start with crash recovery over max_wal_size of log.
	startTimeout = 10 * time.Minute
)

// Server is a running private Postgres. Its methods are safe for concurrent use.
type Server struct {
	dir  string
	as   account
	log  *slog.Logger
	lock *os.File // held until stop
	port int      // the same after a restart

	from     installation
	settings map[string]string

	mu  sync.Mutex // guards run, and is held while the server is restarted or stopped
	run *process

	password string
	stop     func() error // once
}

// Start makes the cluster in cfg.Dir if there is none, stops what a dead process left running in it, and starts the
// server; it returns when connections are accepted. ctx bounds the start only: the server runs until [Server.Stop].
//
// [ErrNoPostgres] and [ErrOwned] tell the two things apart that an operator can meet without having done wrong.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	server, err := start(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("start a private Postgres: %w", err)
	}
	return server, nil
}

func start(ctx context.Context, cfg Config) (_ *Server, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	settings, err := cfg.settings()
	if err != nil {
		return nil, err
	}
	s := &Server{log: cfg.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.take(cfg.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unlock(s.lock))
		}
	}()
	from, err := s.prepare(ctx, cfg.BinDir, settings["fsync"] != "off")
	if err != nil {
		return nil, err
	}
	s.from, s.settings = from, settings
	if err := s.launch(ctx, from, settings); err != nil {
		return nil, err
	}
	s.stop = sync.OnceValue(s.shutDown)
	s.log.Info("postgres_started", slog.Int("major", from.major), slog.Int("port", s.port), slog.String("dir", s.dir))
	return s, nil
}

// take makes dir and locks it.
func (s *Server) take(dir string) error {
	if dir == "" {
		return errors.New("no directory given")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := prepareDir(dir); err != nil {
		return err
	}
	// Resolved, so that a leftover is recognised by its command line whatever way led to the directory.
	if s.dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	s.lock, err = lockDir(s.dir)
	return err
}

// prepare brings the owned directory to the point where postgres can be started on it.
func (s *Server) prepare(ctx context.Context, bin string, sync bool) (installation, error) {
	data := s.data()
	major, err := majorOf(data)
	if err != nil {
		return installation{}, err
	}
	if s.as, err = runAs(data); err != nil {
		return installation{}, err
	}
	all, err := installations(ctx, bin, s.as)
	if err != nil {
		return installation{}, err
	}
	from, err := choose(all, major, data)
	if err != nil {
		return installation{}, err
	}
	if err := s.as.own(s.dir); err != nil {
		return installation{}, fmt.Errorf("own %s to %s: %w", s.dir, s.as.name, err)
	}
	if err := s.narrow(); err != nil {
		return installation{}, err
	}
	if err := s.as.reach(data); err != nil {
		return installation{}, err
	}
	if err := stopLeftover(ctx, data, s.log); err != nil {
		return installation{}, err
	}
	if s.password, err = s.superuserPassword(major != 0); err != nil {
		return installation{}, err
	}
	if major == 0 {
		s.log.Info("making_postgres_cluster", slog.Int("major", from.major), slog.String("dir", s.dir))
		return from, makeCluster(ctx, s.dir, from, s.as, sync)
	}
	return from, nil
}

// narrow takes the rights to the directory and the passwords in it away from other accounts. Postgres looks after the
// cluster's own files.
func (s *Server) narrow() error {
	if err := Narrow(s.dir, 0o700, s.log); err != nil {
		return err
	}
	passwords, err := filepath.Glob(filepath.Join(s.dir, "*.password"))
	for _, path := range passwords {
		err = errors.Join(err, Narrow(path, 0o600, s.log))
	}
	return err
}

// superuserPassword must not make a new one for a cluster that has another.
func (s *Server) superuserPassword(exists bool) (string, error) {
	path := passwordFile(s.dir, superuser)
	if _, err := os.Stat(path); exists && err != nil {
		return "", fmt.Errorf("the superuser's password of an existing cluster is missing: %w "+
			"(hint: restore the file, or set a new password with postgres --single and write it there)", err)
	}
	return password(s.dir, superuser, s.as)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// URL is the superuser's, for the database postgres. It holds the password: not for logs.
func (s *Server) URL() string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, s.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/postgres", RawQuery: "sslmode=disable",
	}
	return u.String()
}

// RolePassword is a random password kept beside the cluster, made the first time it is asked for. Giving the role
// this password is the caller's part.
func (s *Server) RolePassword(role string) (string, error) {
	if role == "" || filepath.Base(role) != role || role == superuser {
		return "", fmt.Errorf("%q can't name a role's password file", role)
	}
	return password(s.dir, role, s.as)
}

// Done is closed when the server has ended, through [Server.Stop] or by itself. In the latter case [Server.Restart] starts
// it again; after that, Done is another channel.
func (s *Server) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run.done
}

// Restart starts a server that ended by itself again, at the same URL; one that runs is left alone. It returns when
// connections are accepted. It must not be called after [Server.Stop], which gives the directory up.
func (s *Server) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.run.ended() {
		return nil
	}
	if err := stopLeftover(ctx, s.data(), s.log); err != nil {
		return fmt.Errorf("restart the private Postgres: %w", err)
	}
	if err := s.launch(ctx, s.from, s.settings); err != nil {
		return fmt.Errorf("restart the private Postgres: %w", err)
	}
	s.log.Info("postgres_restarted", slog.Int("port", s.port))
	return nil
}

// Stop shuts the server down, disconnecting its clients, and gives the directory up. An error means that it didn't
// end cleanly; committed data is safe even then. Later calls return what the first did.
func (s *Server) Stop() error {
	if err := s.stop(); err != nil {
		return fmt.Errorf("stop the private Postgres: %w", err)
	}
	return nil
}

func (s *Server) shutDown() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.run.terminate()
	s.log.Info("postgres_stopped", slog.Bool("clean", err == nil))
	return errors.Join(err, unlock(s.lock))
}
