package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

type tailCommand struct {
	API    apiFlags `embed:""`
	Tenant string   `name:"tenant" default:"default" help:"Whose log."`
	From   int64    `name:"from" default:"-1" help:"First sequence to print; -1 for what comes from now on."`
}

// Run prints one entry a line as JSON and reconnects where it was until it is interrupted.
func (c tailCommand) Run(ctx context.Context, p process) error {
	client, err := c.API.client()
	if err != nil {
		return err
	}
	lastID := ""
	if c.From > 0 {
		lastID = fmt.Sprint(c.From - 1)
	}
	path := fmt.Sprintf("/v1/tenants/%s/log/tail", c.Tenant)
	if c.From == 0 {
		path += "?from_sequence=0"
	}
	for {
		err := c.follow(ctx, client, path, &lastID, p)
		var refused *refusedError
		if ctx.Err() != nil {
			return nil
		}
		if errors.As(err, &refused) {
			return err
		}
		fmt.Fprintf(p.stderr, "hooktrail: the stream ended (%v); connecting again\n", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// refusedError is an answer that won't get better by asking again.
type refusedError struct{ error }

// follow prints entries until the stream ends; lastID is the id of the last entry printed.
func (c tailCommand) follow(ctx context.Context, client *apiClient, path string, lastID *string, p process) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, client.base+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+client.key)
	req.Header.Set("Accept", "text/event-stream")
	if *lastID != "" {
		req.Header.Set("Last-Event-ID", *lastID)
	}
	resp, err := client.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		err := problemOf(resp)
		if resp.StatusCode < 500 {
			return &refusedError{err}
		}
		return err
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id:"); ok {
			*lastID = strings.TrimSpace(id)
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data:"); ok {
			if _, err := fmt.Fprintln(p.stdout, strings.TrimSpace(data)); err != nil {
				return &refusedError{err}
			}
		}
	}
	return lines.Err()
}
