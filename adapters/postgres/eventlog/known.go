package eventlog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// ErrReplaced: the database isn't the one that this process knows, or an older copy of it. Nothing is appended, and
// nothing read, until the newest copy is back or an operator has accepted what was lost.
var ErrReplaced = fmt.Errorf("the database doesn't hold the last entry that this process knows: an older copy of it, or another"+
	" database, was put in its place (hint: put the newest copy back, or run `hooktrail recover`): %w", domain.ErrUnavailable)

// knownEvery is how often the file is written while the log grows. An older entry than the last one does as well: it
// must still be there.
const knownEvery = time.Second

// known is the last entry that this process knows to be in the log. A database that doesn't have it was put back to an
// earlier state, and must not be appended to: positions would be given out a second time, and what the views and the
// receivers already have would be contradicted. Safe for concurrent use.
type known struct {
	file string // empty: none

	mu      sync.Mutex // guards all below
	last    knownEntry
	written domain.Position
}

// knownEntry is an entry's place with the hash of its leaf, as the file has it.
type knownEntry struct {
	Position domain.Position `json:"position"`
	Leaf     string          `json:"leaf_sha256"` // hex
}

func openKnown(file string) (*known, error) {
	k := &known{file: file}
	if file == "" {
		return k, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the last known entry: %w", err)
	}
	if err := json.Unmarshal(text, &k.last); err != nil || k.last.Position < 1 || len(k.last.Leaf) != 2*sha256.Size {
		return nil, fmt.Errorf("read the last known entry: %s is damaged (hint: `hooktrail verify` the log, then delete the file)", file)
	}
	k.written = k.last.Position
	return k, nil
}

// SQLSTATEs of a database whose entries can't be looked at.
const (
	undefinedTable        = "42P01"
	undefinedColumn       = "42703"
	insufficientPrivilege = "42501"
)

// CheckKnownFile compares a database with the last entry that a node keeps in a file, before anything in it is changed,
// as by a migration: ErrReplaced where it lacks the entry. Where the role mustn't look at entries, or the schema is too
// different, Open compares later. A file that doesn't exist, or an empty name, says nothing.
func CheckKnownFile(ctx context.Context, url, file string) error {
	k, err := openKnown(file)
	if err != nil || k.last.Position == 0 {
		return err
	}
	config, err := postgres.ParseURL(url)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, postgres.Connection(config.ConnConfig, "hooktrail known entry", nil))
	if err != nil {
		return fmt.Errorf("connect to look for the last known entry: %w", err)
	}
	defer closeConn(ctx, conn)
	err = k.check(ctx, conn)
	switch postgres.SQLState(err) {
	case undefinedTable:
		return fmt.Errorf("position %d: %w", k.last.Position, ErrReplaced)
	case undefinedColumn, insufficientPrivilege:
		return nil
	}
	return err
}

// see takes notice of an entry that is committed.
func (k *known) see(position domain.Position, leaf []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if position > k.last.Position {
		sum := sha256.Sum256(leaf)
		k.last = knownEntry{position, hex.EncodeToString(sum[:])}
	}
}

func (k *known) get() knownEntry {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

// check refuses a connection to a database that doesn't have the entry.
func (k *known) check(ctx context.Context, conn *pgx.Conn) error {
	last := k.get()
	if last.Position == 0 {
		return nil
	}
	leaf, err := leafAt(ctx, conn, last.Position)
	if err != nil {
		return fmt.Errorf("look for the last known entry: %w", err)
	}
	if sum := sha256.Sum256(leaf); hex.EncodeToString(sum[:]) != last.Leaf {
		return fmt.Errorf("position %d: %w", last.Position, ErrReplaced)
	}
	return nil
}

// CheckKnown holds a new connection to what this process knows: ErrReplaced where the database lacks it. What the
// process remembers of another state of the database isn't read any more then.
func (l *Log) CheckKnown(ctx context.Context, conn *pgx.Conn) error {
	err := l.known.check(ctx, conn)
	if errors.Is(err, ErrReplaced) {
		l.recent.clear()
	}
	return err
}

// run writes the file while the log grows, and once more at the end.
func (k *known) run(ctx context.Context, logger *slog.Logger) {
	if k.file == "" {
		return
	}
	ticker := time.NewTicker(knownEvery)
	defer ticker.Stop()
	for ended := false; !ended; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			ended = true
		}
		if err := k.write(); err != nil {
			logger.WarnContext(ctx, "known_entry_not_written", slog.Any("error", err))
		}
	}
}

func (k *known) write() (err error) {
	k.mu.Lock()
	last, written := k.last, k.written
	k.mu.Unlock()
	if last.Position == written {
		return nil
	}
	text, err := json.Marshal(last)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(k.file), ".known-*")
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	if err := os.Rename(file.Name(), k.file); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.written = last.Position
	return nil
}
