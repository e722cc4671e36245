package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// viewsOf is the views as exports read them.
type viewsOf interface {
	projections.Views
	// LiveExports returns the exports of all tenants that aren't finished or have a file, in order of creation.
	LiveExports(ctx context.Context) ([]projections.Export, error)
}

// Leases tells who holds what.
type Leases interface {
	Standing(ctx context.Context) (domain.Standing, error)
}

// Settings of a Runner. All members are needed unless they say otherwise.
type Settings struct {
	Log    Log
	Views  viewsOf
	Leases Leases // somebody else beats for the node
	Store  Store
	// Work is a directory of this server's account for files that aren't complete. Servers that share it go on with one
	// another's.
	Work      string
	Node      domain.UUID
	Displaced []domain.UUID // nodes known to be dead, such as this one before its restart

	Quota       int64 // bytes of all files together, complete or not
	TenantQuota int64 // bytes of one tenant's
	AtOnce      int   // exports that are written at once, one a tenant; 0: 2

	Tick   time.Duration // between two looks at what there is to do; 0: a second
	Expiry time.Duration // after which a node that doesn't beat counts as dead; 0: 3 s
	Clock  func() time.Time
	Logger *slog.Logger
}

// leaseName is the lease of the one node that writes exports.
const leaseName = "exports"

// Runner writes exports and deletes their files when their time is over. It is safe for concurrent use.
type Runner struct {
	Settings
	nudged chan struct{}

	mu      sync.Mutex // guards all below
	running map[domain.UUID]*run
	kept    map[domain.UUID]keptFile
}

// run is an export that is being written.
type run struct {
	tenant      domain.TenantID
	bytes       int64
	done, total domain.Sequence
	stop        context.CancelFunc
}

// keptFile is a finished export's file.
type keptFile struct {
	tenant domain.TenantID
	name   string
	bytes  int64
	until  time.Time
	retry  time.Time // before which it isn't tried again to delete it
}

// NewRunner makes a Runner.
func NewRunner(s Settings) *Runner {
	if s.AtOnce == 0 {
		s.AtOnce = 2
	}
	if s.Tick == 0 {
		s.Tick = time.Second
	}
	if s.Expiry == 0 {
		s.Expiry = 3 * time.Second
	}
	if s.Clock == nil {
		s.Clock = time.Now
	}
	return &Runner{
		Settings: s, nudged: make(chan struct{}, 1),
		running: make(map[domain.UUID]*run), kept: make(map[domain.UUID]keptFile),
	}
}

// Nudge has Run look for something to do.
func (r *Runner) Nudge() {
	select {
	case r.nudged <- struct{}{}:
	default:
	}
}

// Run writes exports while this node holds the lease, until ctx ends (nil). What is unfinished then is gone on with later.
func (r *Runner) Run(ctx context.Context) error {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	ticker := time.NewTicker(r.Tick)
	defer ticker.Stop()
	held := int64(0)
	for ctx.Err() == nil {
		epoch, err := r.hold(ctx)
		if err == nil && epoch != 0 {
			err = r.tend(ctx, epoch, epoch != held, &jobs)
		}
		if epoch != held {
			held = epoch
		}
		if epoch == 0 {
			r.stopAll()
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, domain.ErrFenced) {
			r.Logger.Warn("exports wait", slog.Any("error", err))
		}
		select {
		case <-ticker.C:
		case <-r.nudged:
		case <-ctx.Done():
		}
	}
	return nil
}

// hold returns the epoch in which this node holds the lease, which it takes if it is free; 0: another node holds it.
func (r *Runner) hold(ctx context.Context) (int64, error) {
	standing, err := r.Leases.Standing(ctx)
	if err != nil {
		return 0, err
	}
	lease := domain.Lease{Name: leaseName}
	for _, l := range standing.Leases {
		if l.Name == leaseName {
			lease = l
		}
	}
	if lease.Owner == r.Node {
		return lease.Epoch, nil
	}
	for _, n := range standing.Nodes {
		if n.ID == lease.Owner && n.Age <= r.Expiry && !contains(r.Displaced, n.ID) {
			return 0, nil
		}
	}
	epoch := lease.Epoch + 1
	_, err = domain.AppendOne(ctx, r.Log, domain.Group{
		Drafts: []domain.Draft{{
			Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamLease, ID: r.Node},
			Expected: domain.AnyVersion,
			Fact:     &domain.LeaseTaken{Node: r.Node, Leases: []domain.LeaseEpoch{{Name: leaseName, Epoch: epoch}}},
		}},
		Takes: []domain.Take{{
			Lease: leaseName, Owner: r.Node, Epoch: epoch, Expiry: r.Expiry, Displaced: r.Displaced,
		}},
	})
	if errors.Is(err, domain.ErrFenced) { // another node was faster
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("take the lease of exports: %w", err)
	}
	return epoch, nil
}

func contains(ids []domain.UUID, id domain.UUID) bool {
	for _, one := range ids {
		if one == id {
			return true
		}
	}
	return false
}

// tend starts what waits and ends what has expired.
func (r *Runner) tend(ctx context.Context, epoch int64, taken bool, jobs *sync.WaitGroup) error {
	live, err := r.Views.LiveExports(ctx)
	if err != nil {
		return err
	}
	if err := r.learn(ctx, live); err != nil {
		return err
	}
	if taken {
		if err := r.clean(ctx, live); err != nil {
			return err
		}
	}
	if err := r.expire(ctx, epoch); err != nil {
		return err
	}
	for _, row := range live {
		if !row.Unfinished || !r.free(row.Tenant) {
			continue
		}
		if err := r.start(ctx, epoch, row, jobs); err != nil {
			return err
		}
	}
	return nil
}

// learn takes over which files are kept, and deletes those of exports that somebody didn't want any more.
func (r *Runner) learn(ctx context.Context, live []projections.Export) error {
	has := make(map[domain.UUID]bool, len(live))
	for _, row := range live {
		has[row.ID] = true
		r.mu.Lock()
		_, known := r.kept[row.ID]
		r.mu.Unlock()
		if row.Unfinished || known {
			continue
		}
		x, err := load(ctx, r.Log, row.Tenant, row.ID)
		if err != nil {
			return err
		}
		if x.Kept() {
			r.keep(&x)
		}
	}
	r.mu.Lock()
	var gone []domain.UUID
	for id := range r.kept {
		if !has[id] {
			gone = append(gone, id)
		}
	}
	r.mu.Unlock()
	for _, id := range gone {
		r.mu.Lock()
		tenant := r.kept[id].tenant
		r.mu.Unlock()
		x, err := load(ctx, r.Log, tenant, id) // the views may be behind what this node has just finished
		if err != nil {
			return err
		}
		if !x.Kept() {
			r.drop(ctx, id)
		}
	}
	return nil
}

// keep notes a finished export's file.
func (r *Runner) keep(x *domain.Export) {
	k := keptFile{tenant: x.Tenant, until: x.Result.ExpiresAt}
	for _, f := range x.Result.Files {
		k.name, k.bytes = fileKey(x.Tenant, x.ID, f.Name), k.bytes+f.Bytes
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept[x.ID] = k
}

// deleteRetry is after how long it is tried again to delete a file, which a bucket may have locked.
const deleteRetry = time.Minute

// drop deletes a file that isn't kept any more. What can't be deleted is tried again later.
func (r *Runner) drop(ctx context.Context, id domain.UUID) {
	r.mu.Lock()
	k := r.kept[id]
	r.mu.Unlock()
	if r.Clock().Before(k.retry) {
		return
	}
	if err := r.Store.Delete(ctx, k.name); err != nil {
		r.Logger.Warn("an export's file can't be deleted yet", slog.String("export", id.String()), slog.Any("error", err))
		r.mu.Lock()
		defer r.mu.Unlock()
		k.retry = r.Clock().Add(deleteRetry)
		r.kept[id] = k
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.kept, id)
}

// clean deletes what an earlier process left behind: files of exports that ended, complete ones too.
func (r *Runner) clean(ctx context.Context, live []projections.Export) error {
	lives := make(map[domain.UUID]bool, len(live))
	for _, row := range live {
		lives[row.ID] = true
	}
	dirs, err := os.ReadDir(r.Work)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, d := range dirs {
		if id, err := domain.ParseUUID(d.Name()); err == nil && !lives[id] {
			if err := os.RemoveAll(filepath.Join(r.Work, d.Name())); err != nil {
				return err
			}
		}
	}
	names, err := r.Store.Names(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		tenant, id, ok := parseKey(name)
		if !ok || lives[id] {
			continue
		}
		x, err := load(ctx, r.Log, tenant, id)
		if errors.Is(err, domain.ErrNotFound) {
			continue // not this log's
		}
		if err != nil {
			return err
		}
		if !x.Kept() && x.Status != domain.ExportQueued {
			if err := r.Store.Delete(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// expire ends the exports whose time is over.
func (r *Runner) expire(ctx context.Context, epoch int64) error {
	now := r.Clock()
	var over []domain.UUID
	r.mu.Lock()
	for id, k := range r.kept {
		if !k.until.After(now) {
			over = append(over, id)
		}
	}
	r.mu.Unlock()
	for _, id := range over {
		r.mu.Lock()
		tenant := r.kept[id].tenant
		r.mu.Unlock()
		x, err := load(ctx, r.Log, tenant, id)
		if err != nil {
			return err
		}
		if x.Kept() {
			err := r.append(ctx, epoch, &x, &domain.ExportExpired{Why: domain.ExportEndTime})
			if errors.Is(err, domain.ErrConflict) {
				continue // it was just downloaded, or called off
			}
			if err != nil {
				return err
			}
		}
		r.drop(ctx, id)
	}
	return nil
}

// append appends what the server does with an export by itself.
func (r *Runner) append(ctx context.Context, epoch int64, x *domain.Export, fact domain.Fact) error {
	_, err := domain.AppendOne(ctx, r.Log, domain.Group{
		Drafts: []domain.Draft{{
			Tenant: x.Tenant, Stream: x.Stream(), Expected: x.Version, Cause: x.Created, Fact: fact,
		}},
		Fences: []domain.Fence{{Lease: leaseName, Owner: r.Node, Epoch: epoch}},
	})
	return err
}

// free reports whether an export of a tenant may begin.
func (r *Runner) free(tenant domain.TenantID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.running {
		if one.tenant == tenant {
			return false
		}
	}
	return len(r.running) < r.AtOnce
}

// start begins to write an export unless the log says that it has ended: the views may be behind.
func (r *Runner) start(ctx context.Context, epoch int64, row projections.Export, jobs *sync.WaitGroup) error {
	x, err := load(ctx, r.Log, row.Tenant, row.ID)
	if err != nil {
		return err
	}
	if x.Status != domain.ExportQueued {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	one := &run{tenant: x.Tenant, stop: stop}
	r.mu.Lock()
	r.running[x.ID] = one
	r.mu.Unlock()
	jobs.Go(func() {
		defer stop()
		r.write(ctx, epoch, &x, one)
		r.mu.Lock()
		delete(r.running, x.ID)
		r.mu.Unlock()
		if ctx.Err() == nil {
			r.Nudge()
		}
	})
	return nil
}

func (r *Runner) stopAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.running {
		one.stop()
	}
}

// errEnded ends the writing of an export that was called off.
var errEnded = errors.New("the export was called off")

// write writes one export and says in the log how that ended. What may be better next time is left for the next tick.
func (r *Runner) write(ctx context.Context, epoch int64, x *domain.Export, one *run) {
	dir := filepath.Join(r.Work, x.ID.String())
	logger := r.Logger.With(slog.String("tenant", string(x.Tenant)), slog.String("export", x.ID.String()))
	looked := time.Now()
	j := &job{
		log: r.Log, pacer: &pacer{log: r.Log}, views: r.Views, export: x, dir: dir, size: usual(),
		allow: func(bytes int64) error { return r.allow(one, bytes) },
		look: func(ctx context.Context, s *state, span span) error {
			r.mu.Lock()
			one.done, one.total = max(s.Reached-span.from, 0), span.size()
			r.mu.Unlock()
			if time.Since(looked) < r.Tick {
				return nil
			}
			looked = time.Now()
			now, err := load(ctx, r.Log, x.Tenant, x.ID)
			if err == nil && now.Status != domain.ExportQueued {
				err = errEnded
			}
			return err
		},
	}
	made, s, err := j.write(ctx)
	if err == nil {
		err = r.finish(ctx, epoch, x, dir, made, s)
	}
	var failed *failure
	switch {
	case err == nil:
		logger.Info("export finished", slog.Int64("rows", made.Rows), slog.Int64("bytes", made.Bytes))
	case ctx.Err() != nil, errors.Is(err, domain.ErrFenced):
		return // whoever holds the lease next goes on
	case errors.As(err, &failed):
		logger.Warn("export failed", slog.Any("error", err))
		_ = os.RemoveAll(dir) // before anybody is told; what is left is deleted below, or after the next start
		err = r.append(ctx, epoch, x, &domain.ExportFailed{Code: failed.code, Text: failed.text})
	case errors.Is(err, errApart):
		logger.Error("export failed", slog.Any("error", err))
		err = r.append(ctx, epoch, x, &domain.ExportFailed{
			Code: domain.ExportUnreadable,
			Text: "the server's views differ from its log; its operator can see where (hooktrail verify --views)",
		})
	}
	if err != nil && !errors.Is(err, errEnded) && !errors.Is(err, domain.ErrConflict) {
		logger.Warn("export interrupted, to be gone on with", slog.Any("error", err))
		return
	}
	if err := os.RemoveAll(dir); err != nil {
		logger.Warn("an export's unfinished file can't be deleted", slog.Any("error", err))
	}
}

// finish keeps a complete file and says so in the log. A process that was killed in between has left the file in the store.
func (r *Runner) finish(
	ctx context.Context, epoch int64, x *domain.Export, dir string, made domain.ExportFile, s state,
) error {
	expires := r.Clock().Add(time.Duration(x.Order.Keep)).UTC().Truncate(time.Microsecond)
	name := fileKey(x.Tenant, x.ID, made.Name)
	if err := r.Store.Put(ctx, name, filepath.Join(dir, partName), expires); err != nil {
		return storeError(err)
	}
	err := r.append(ctx, epoch, x, &domain.ExportFinished{Result: domain.ExportResult{
		Files: []domain.ExportFile{made}, ExpiresAt: expires, Erased: s.Erased, Damaged: s.Damaged, Erasures: s.Erasures,
	}})
	switch {
	case errors.Is(err, domain.ErrConflict): // it was called off
		return errors.Join(err, r.Store.Delete(ctx, name))
	case err != nil:
		return err
	}
	x.Result = domain.ExportResult{Files: []domain.ExportFile{made}, ExpiresAt: expires}
	r.keep(x)
	return nil
}

// allow refuses a file of a size for which there is no room, and reserves the room of one that fits.
func (r *Runner) allow(one *run, bytes int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, tenants := bytes, bytes
	for _, k := range r.kept {
		all += k.bytes
		if k.tenant == one.tenant {
			tenants += k.bytes
		}
	}
	for _, other := range r.running {
		if other == one {
			continue
		}
		all += other.bytes
		if other.tenant == one.tenant {
			tenants += other.bytes
		}
	}
	switch {
	case tenants > r.TenantQuota:
		return &failure{domain.ExportQuotaExceeded, fmt.Sprintf("the tenant's exports together would have more than %d bytes: "+
			"delete some that are kept, narrow the range, or choose fewer columns", r.TenantQuota)}
	case all > r.Quota:
		return &failure{domain.ExportQuotaExceeded, "the server has no room for more exports: try again when others have expired, " +
			"or ask its operator for more (HOOKTRAIL_EXPORT_QUOTA)"}
	}
	one.bytes = bytes
	return nil
}
