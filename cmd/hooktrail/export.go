package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// exportCommand exports through a running server, not from its database: so an auditor needs no more than a key, what they
// took away is in the log, and the server's limits hold for everybody.
type exportCommand struct {
	API apiFlags `embed:""`

	Tenant       string    `name:"tenant" default:"default" help:"Whose history."`
	What         string    `name:"what" enum:"deliveries,events,configuration,log" default:"deliveries" help:"What there is a row for: deliveries (a row for each attempt), events, configuration (changes) or log (entries)."`
	Format       string    `name:"format" enum:"ndjson,csv,parquet,html" default:"ndjson" help:"ndjson, csv, parquet or, for deliveries, html: a report for people."`
	Zstd         bool      `name:"zstd" help:"Compress ndjson or csv."`
	Columns      []string  `name:"columns" help:"Which columns, in this order, comma-separated (default: all)."`
	FromSequence *int64    `name:"from-sequence" help:"From this sequence on."`
	ToSequence   *int64    `name:"to-sequence" help:"Before this sequence."`
	From         time.Time `name:"from" help:"Recorded at this time or later (2026-07-01T00:00:00Z)."`
	To           time.Time `name:"to" help:"Recorded before this time."`
	Types        []string  `name:"type" help:"Event types, such as offer.*, comma-separated (deliveries, events)."`
	Endpoint     string    `name:"endpoint" help:"Deliveries to this endpoint."`
	Subscription string    `name:"subscription" help:"Deliveries that this subscription matched."`
	Status       string    `name:"status" help:"Deliveries in this status."`
	Kind         string    `name:"kind" help:"Entries of this kind, or of all whose names begin so: endpoint.* (configuration, log)."`
	Stream       string    `name:"stream" help:"Entries about this thing (configuration, log)."`
	Actor        string    `name:"actor" help:"What this principal or key did (configuration, log)."`
	Reason       string    `name:"reason" help:"Why; recorded in the log."`
	Output       string    `name:"output" short:"o" default:"-" help:"File to write (default: standard output)."`
	DryRun       bool      `name:"dry-run" help:"Only count what would be exported."`
	Delete       bool      `name:"delete" help:"Delete the file on the server once it is here."`
}

// exportManifest is what the command needs of one.
type exportManifest struct {
	ID       string
	Status   string
	Sequence int64
	Progress struct{ Done, Total int64 }
	Counts   struct{ Rows, Entries int64 }
	Files    []struct {
		Name, SHA256 string
		Bytes, Rows  int64
	}
	Error   struct{ Code, Detail string }
	Content string
}

// Run asks for the export, waits for it, and downloads it. If it is interrupted before, the export is cancelled.
func (c exportCommand) Run(ctx context.Context, p process) error {
	out, ok := p.stdout.(*os.File)
	if c.Output == "-" && ok && term.IsTerminal(int(out.Fd())) && (c.Format == "parquet" || c.Zstd) {
		return usagef("the terminal can't show this format: choose a file with --output, or redirect standard output")
	}
	client, err := c.API.client()
	if err != nil {
		return err
	}
	exports := "/v1/tenants/" + url.PathEscape(c.Tenant) + "/exports"
	var manifest exportManifest
	if err := client.call(ctx, http.MethodPost, exports, c.request(), &manifest); err != nil {
		return err
	}
	if c.DryRun {
		_, err := fmt.Fprintf(p.stdout, "%d rows, from %d entries, as of sequence %d\n",
			manifest.Counts.Rows, manifest.Counts.Entries, manifest.Sequence)
		return err
	}
	at := exports + "/" + manifest.ID
	if manifest, err = awaitExport(ctx, client, at, p.stderr); err != nil {
		if ctx.Err() != nil { // nobody waits for it any more
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			err = errors.Join(err, client.call(late, http.MethodDelete, at, nil, nil))
		}
		return err
	}
	if manifest.Status != "succeeded" || len(manifest.Files) != 1 {
		return fmt.Errorf("the export %s: %s (%s)", manifest.Status, manifest.Error.Detail, manifest.Error.Code)
	}
	if err := c.save(ctx, client, &manifest, p); err != nil {
		return err
	}
	f := manifest.Files[0]
	fmt.Fprintf(p.stderr, "%d rows, %d bytes, as of sequence %d, SHA-256 %s\n", f.Rows, f.Bytes, manifest.Sequence, f.SHA256)
	if c.Delete {
		return client.call(ctx, http.MethodDelete, at, nil, nil)
	}
	return nil
}

// request is the body of the request.
func (c exportCommand) request() map[string]any {
	filter := make(map[string]any)
	for name, value := range map[string]string{
		"endpoint_id": c.Endpoint, "subscription_id": c.Subscription, "status": c.Status, "kind": c.Kind, "stream": c.Stream,
		"actor": c.Actor,
	} {
		if value != "" {
			filter[name] = value
		}
	}
	for name, value := range map[string]*int64{"from_sequence": c.FromSequence, "to_sequence": c.ToSequence} {
		if value != nil {
			filter[name] = *value
		}
	}
	for name, value := range map[string]time.Time{"from": c.From, "to": c.To} {
		if !value.IsZero() {
			filter[name] = value
		}
	}
	if len(c.Types) > 0 {
		filter["types"] = c.Types
	}
	body := map[string]any{"what": c.What, "format": c.Format, "filter": filter, "dry_run": c.DryRun}
	if c.Zstd {
		body["compression"] = "zstd"
	}
	if len(c.Columns) > 0 {
		body["columns"] = c.Columns
	}
	if c.Reason != "" {
		body["reason"] = c.Reason
	}
	return body
}

// Between two looks at an export that isn't finished.
const (
	leastLook = 100 * time.Millisecond
	mostLook  = time.Second
)

// awaitExport waits until an export has ended.
func awaitExport(ctx context.Context, client *apiClient, at string, stderr io.Writer) (manifest exportManifest, err error) {
	var bar *progressbar.ProgressBar // only on a terminal
	if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		bar = progressbar.NewOptions64(1, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription("exporting"),
			progressbar.OptionClearOnFinish(), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true))
		defer bar.Finish() //nolint:errcheck // of a terminal
	}
	for look := leastLook; ; look = min(2*look, mostLook) {
		manifest = exportManifest{}
		if err := client.call(ctx, http.MethodGet, at, nil, &manifest); err != nil {
			return manifest, err
		}
		if manifest.Status != "queued" && manifest.Status != "running" {
			return manifest, nil
		}
		if bar != nil && manifest.Progress.Total > 0 {
			bar.ChangeMax64(manifest.Progress.Total)
			_ = bar.Set64(min(manifest.Progress.Done, manifest.Progress.Total-1)) // of a terminal
		}
		timer := time.NewTimer(look)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return manifest, ctx.Err()
		}
	}
}

// save downloads the file to where it is wanted. A file gets its name only when it is complete and has the manifest's hash.
func (c exportCommand) save(ctx context.Context, client *apiClient, m *exportManifest, p process) error {
	if c.Output == "-" {
		return download(ctx, client, m, p.stdout)
	}
	part := c.Output + ".part-" + rand.Text()[:8]
	out, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = download(ctx, client, m, out)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Rename(part, c.Output)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return nil
}

// downloadTries is how often a download that breaks off is gone on with.
const downloadTries = 5

// download writes the file, and fails if it isn't what the manifest says.
func download(ctx context.Context, client *apiClient, m *exportManifest, to io.Writer) error {
	f, sum := &m.Files[0], sha256.New()
	var got int64
	var err error
	for try := 0; try < downloadTries && got < f.Bytes; try++ {
		if err = downloadSome(ctx, client, m.Content, &got, to, sum); ctx.Err() != nil {
			return err
		}
	}
	if got < f.Bytes {
		return fmt.Errorf("the download broke off after %d of %d bytes: %w", got, f.Bytes, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return errors.New("what was downloaded isn't what the manifest says (its SHA-256 is another): don't use it")
	}
	return nil
}

// downloadSome writes what follows behind the bytes that there are.
func downloadSome(ctx context.Context, client *apiClient, path string, got *int64, to io.Writer, sum hash.Hash) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, client.base+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+client.key)
	want := http.StatusOK
	if *got > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(*got, 10)+"-")
		want = http.StatusPartialContent
	}
	resp, err := client.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != want {
		return problemOf(resp)
	}
	n, err := io.Copy(io.MultiWriter(to, sum), resp.Body)
	*got += n
	return err
}
