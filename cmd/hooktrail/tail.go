package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

type tailCommand struct {
	API      apiFlags      `embed:""`
	Tenant   string        `name:"tenant" default:"default" help:"Whose log."`
	From     int64         `name:"from" default:"-1" help:"First sequence to print; -1 for what comes from now on."`
	RetryFor time.Duration `name:"retry-for" default:"10m" help:"How long to look for a server that went away; then it ends with exit code 1, as it does at once if the server can't be reached at first."`
}

// Gaps between attempts to reach a server that went away.
const (
	firstTailGap = 500 * time.Millisecond
	lastTailGap  = 15 * time.Second
)

// Run prints one entry a line as JSON until it is interrupted. When the stream ends it says so, once, and goes on where
// it was as soon as the server is back.
func (c tailCommand) Run(ctx context.Context, p process) error {
	client, err := c.API.client()
	if err != nil {
		return err
	}
	s := &entryStream{client: client, path: fmt.Sprintf("/v1/tenants/%s/log/tail", c.Tenant), process: p}
	if c.From > 0 {
		s.lastID = fmt.Sprint(c.From - 1)
	}
	if c.From == 0 {
		s.path += "?from_sequence=0"
	}
	var lost time.Time // when the stream ended; zero: there was none yet
	for gap := firstTailGap; ; gap = min(2*gap, lastTailGap) {
		open, err := s.follow(ctx)
		var refused *refusedError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &refused) || !open && lost.IsZero():
			return err
		case open:
			fmt.Fprintf(p.stderr, "hooktrail: the stream ended (%v); looking for the server for %s\n", err, c.RetryFor)
			lost, gap = time.Now(), firstTailGap
		case time.Since(lost) >= c.RetryFor:
			return fmt.Errorf("the server hasn't come back within %s: %w", c.RetryFor, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(min(gap, c.RetryFor-time.Since(lost)), 0)):
		}
	}
}

// refusedError is an answer that won't get better by asking again.
type refusedError struct{ error }

// errStreamEnded is the end that a server puts to a stream, as when it stops.
var errStreamEnded = errors.New("the server closed it")

// entryStream is a log on its way to standard output.
type entryStream struct {
	client  *apiClient
	path    string
	process process
	lastID  string // of the last entry printed, or of the one before the stream's begin; empty: neither is known
}

// follow prints entries until the stream ends, and says whether there was one.
func (s *entryStream) follow(ctx context.Context) (open bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.client.base+s.path, nil)
	if err != nil {
		return false, &refusedError{err}
	}
	req.Header.Set("Authorization", "Bearer "+s.client.key)
	req.Header.Set("Accept", "text/event-stream")
	if s.lastID != "" {
		req.Header.Set("Last-Event-ID", s.lastID)
	}
	resp, err := s.client.http.Do(req)
	if err != nil {
		return false, fmt.Errorf("%w (is the server running?)", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		err := problemOf(resp)
		if resp.StatusCode < 500 {
			return false, &refusedError{err}
		}
		return false, err
	}
	if s.lastID == "" { // what is appended while the connection is lost must not be skipped
		s.lastID = resp.Header.Get("Hooktrail-Sequence")
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 16<<20)
	return true, s.print(lines)
}

// print writes an entry when its blank line has come: what a lost connection cut in two comes again.
func (s *entryStream) print(lines *bufio.Scanner) error {
	var id, data string
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch value = strings.TrimSpace(value); {
		case name == "id":
			id = value
		case name == "data":
			data = value
		case lines.Text() == "":
			if data != "" {
				if _, err := fmt.Fprintln(s.process.stdout, data); err != nil {
					return &refusedError{err}
				}
			}
			s.lastID, data = cmp.Or(id, s.lastID), ""
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errStreamEnded
}
