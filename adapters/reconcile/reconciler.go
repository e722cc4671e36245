package reconcile

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Bounds of what is under way. A tenant has one reconciliation at a time.
const (
	workers  = 2
	maxWorks = 100
)

// Retries of a work that fails, as where the database is away, until it is said to have failed.
const (
	retries  = 5
	retryGap = 10 * time.Second
)

// Config is what a Reconciler needs. All members are needed unless they say otherwise.
type Config struct {
	Log    domain.Log
	Views  projections.Views
	Dir    string // for files of works under way; made where it isn't there
	Logger *slog.Logger
	// SpillBytes are held in memory before ids are written to files; 0: 8 MiB.
	SpillBytes int
}

// Reconciler does reconciliations. It is safe for concurrent use.
type Reconciler struct {
	config Config
	wake   chan struct{} // holds one element while the queue may not be empty

	mu    sync.Mutex // guards all below
	works map[domain.TenantID]*work
	queue []*work
}

// work is one reconciliation from its reservation to its end.
type work struct {
	Tenant domain.TenantID `json:"tenant"`
	ID     domain.UUID     `json:"id"`
	Key    []byte          `json:"key"` // of the files' hashes
	List   bool            `json:"list"`

	dir         string
	running     atomic.Bool
	done, total atomic.Int64
}

// workFile is the file of a work's directory by which a restart knows it.
const workFile = "work.json"

// New returns a Reconciler that begins again what an earlier process left.
func New(c Config) (*Reconciler, error) {
	if c.SpillBytes == 0 {
		c.SpillBytes = 8 << 20
	}
	r := &Reconciler{config: c, wake: make(chan struct{}, 1), works: make(map[domain.TenantID]*work)}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of reconciliations: %w", err)
	}
	left, err := os.ReadDir(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("find unfinished reconciliations: %w", err)
	}
	for _, entry := range left {
		w := &work{dir: filepath.Join(c.Dir, entry.Name())}
		b, err := os.ReadFile(filepath.Join(w.dir, workFile))
		if err != nil || json.Unmarshal(b, w) != nil {
			if err := os.RemoveAll(w.dir); err != nil { // it was never asked for as a whole
				return nil, fmt.Errorf("remove an unfinished reconciliation: %w", err)
			}
			continue
		}
		if r.works[w.Tenant] == nil { // else that one had an end, but for this process to see
			r.works[w.Tenant] = w
		}
		r.enqueue(w)
	}
	return r, nil
}

// Reserve takes the tenant's one place for a reconciliation; domain.ErrConflict: it has one under way, or the process
// has as many as it may. Begin or Abandon must follow.
func (r *Reconciler) Reserve(tenant domain.TenantID, id domain.UUID) error {
	w := &work{Tenant: tenant, ID: id, dir: filepath.Join(r.config.Dir, id.String()), Key: make([]byte, 16)}
	_, _ = rand.Read(w.Key) // it never fails
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.works[tenant] != nil || len(r.works) >= maxWorks {
		return domain.ErrConflict
	}
	if err := os.Mkdir(w.dir, 0o700); err != nil {
		return fmt.Errorf("begin a reconciliation: %w", err)
	}
	r.works[tenant] = w
	return nil
}

// Take reads a receiver's list for a reserved reconciliation. What is wrong with the list is a *domain.InvalidError.
func (r *Reconciler) Take(
	ctx context.Context, tenant domain.TenantID, contentType string, body io.Reader,
) (list domain.ReceivedList, err error) {
	w := r.of(tenant)
	sum := sha256.New()
	counted := &countReader{r: io.TeeReader(body, sum)}
	spill := newSpill(w.dir, receivedName, w.Key, r.config.SpillBytes)
	var record []byte
	err = readList(contentType, counted, func(line int64, id string) error {
		list.IDs++
		record = binary.AppendUvarint(record[:0], uint64(line))
		return errors.Join(ctx.Err(), spill.add(id, record))
	})
	if err == nil {
		err = spill.flush()
	}
	w.List = true
	list.Bytes, list.SHA256 = counted.n, hex.EncodeToString(sum.Sum(nil))
	return list, err
}

// countReader counts what is read, and refuses a list that is too long.
type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	if c.n += int64(n); c.n > maxListBytes {
		return n, domain.Invalid("body", "a list has at most %d bytes: reconcile shorter periods", int64(maxListBytes))
	}
	return n, err
}

// Keep has a restart begin the reconciliation again, if it is in the log then. It precedes the append.
func (r *Reconciler) Keep(tenant domain.TenantID) error {
	w := r.of(tenant)
	b, err := json.Marshal(w)
	if err == nil {
		err = os.WriteFile(filepath.Join(w.dir, workFile), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep a reconciliation: %w", err)
	}
	return nil
}

// Begin begins the tenant's reserved reconciliation, which is in the log.
func (r *Reconciler) Begin(tenant domain.TenantID) { r.enqueue(r.of(tenant)) }

// Abandon gives the tenant's reservation up.
func (r *Reconciler) Abandon(tenant domain.TenantID) { r.end(r.of(tenant)) }

// Progress is how far a reconciliation of this process is; false for one that isn't.
func (r *Reconciler) Progress(tenant domain.TenantID, id domain.UUID) (done, total int64, running, ok bool) {
	w := r.of(tenant)
	if w == nil || w.ID != id {
		return 0, 0, false, false
	}
	return w.done.Load(), w.total.Load(), w.running.Load(), true
}

func (r *Reconciler) of(tenant domain.TenantID) *work {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.works[tenant]
}

func (r *Reconciler) enqueue(w *work) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, w)
	r.signal()
}

// signal tells a worker that there is something to do.
func (r *Reconciler) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// next takes a work off the queue; nil for none.
func (r *Reconciler) next() *work {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		return nil
	}
	w := r.queue[0]
	if r.queue = r.queue[1:]; len(r.queue) > 0 {
		r.signal()
	}
	return w
}

// end forgets a work and its files.
func (r *Reconciler) end(w *work) {
	if err := os.RemoveAll(w.dir); err != nil {
		r.config.Logger.Warn("files of a reconciliation stay", slog.Any("error", err))
	}
	r.free(w)
}

// free gives a work's place back.
func (r *Reconciler) free(w *work) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.works[w.Tenant] == w {
		delete(r.works, w.Tenant)
	}
}

// Run does what is asked for until ctx ends. What is under way then is begun again by the next process.
func (r *Reconciler) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	for range workers {
		running.Go(func() { r.serve(ctx) })
	}
	return nil
}

func (r *Reconciler) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		for w := r.next(); w != nil; w = r.next() {
			if !r.do(ctx, w) {
				return
			}
		}
	}
}

// do takes a work to its end; it reports false when ctx ended before.
func (r *Reconciler) do(ctx context.Context, w *work) bool {
	var err error
	for range retries {
		if err = r.finish(ctx, w, nil); err == nil || ctx.Err() != nil {
			break
		}
		r.config.Logger.Warn("a reconciliation is tried again", slog.Any("error", err),
			slog.String("tenant", string(w.Tenant)), slog.String("reconciliation", w.ID.String()))
		if pause(ctx, retryGap) != nil {
			break
		}
	}
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		failed := &domain.ReconciliationResult{
			Outcome: domain.ReconciliationFailed,
			Problem: "the log, the views or the files couldn't be read; the server's log says more",
		}
		if err := r.finish(ctx, w, failed); err != nil {
			r.config.Logger.Error("a reconciliation stays without an end", slog.Any("error", err),
				slog.String("tenant", string(w.Tenant)), slog.String("reconciliation", w.ID.String()))
		}
	}
	r.end(w)
	return true
}

// finish appends a result, by default what the work finds. Nothing is to be done where the log has no reconciliation
// without an end.
func (r *Reconciler) finish(ctx context.Context, w *work, result *domain.ReconciliationResult) error {
	stream := domain.Stream{Kind: domain.StreamReconciliation, ID: w.ID}
	entries, err := domain.Select(ctx, r.config.Log, domain.Query{Tenant: w.Tenant, Stream: stream, Limit: 2})
	if err != nil {
		return err
	}
	var state domain.Reconciliation
	for i := range entries {
		state.Fold(&entries[i])
	}
	if len(entries) != 1 || state.ID.IsZero() {
		return nil
	}
	if result == nil {
		var failed *failure
		result, err = r.find(ctx, w, state.Request)
		switch {
		case errors.As(err, &failed):
			result = &domain.ReconciliationResult{Outcome: domain.ReconciliationFailed, Problem: failed.problem}
		case err != nil:
			return err
		}
	}
	r.free(w) // who sees the end may ask for the next one at once
	_, err = domain.AppendOne(ctx, r.config.Log, domain.Group{Drafts: []domain.Draft{{
		Tenant: w.Tenant, Stream: stream, Expected: state.Version, Cause: entries[0].Sequence,
		Fact: &domain.ReconciliationFinished{Result: *result},
	}}})
	if errors.Is(err, domain.ErrConflict) || errors.Is(err, domain.ErrUnknownTenant) {
		return nil // it has an end, or its tenant has
	}
	return err
}

// find reconciles.
func (r *Reconciler) find(
	ctx context.Context, w *work, request domain.ReconciliationRequest,
) (*domain.ReconciliationResult, error) {
	w.total.Store(int64(request.To - request.From))
	w.done.Store(0)
	w.running.Store(true)
	defer w.running.Store(false)
	over := walk{
		log: r.config.Log, views: r.config.Views, tenant: w.Tenant, request: request, most: maxSent, done: &w.done,
	}
	if request.List != nil {
		if !w.List {
			return nil, &failure{"the list was lost"}
		}
		if err := removeSpill(w.dir, sentName); err != nil { // of an earlier try
			return nil, err
		}
		over.sent = newSpill(w.dir, sentName, w.Key, r.config.SpillBytes)
	}
	if err := over.run(ctx); err != nil {
		return nil, err
	}
	over.result.Outcome = domain.ReconciliationSucceeded
	if over.sent == nil {
		return &over.result, nil
	}
	if err := over.sent.flush(); err != nil {
		return nil, err
	}
	received, _, err := match(ctx, w.dir)
	if err != nil {
		return nil, err
	}
	received.Erased = over.erased
	over.result.Received = &received
	return &over.result, nil
}
