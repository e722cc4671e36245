package export

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// load folds one export from its stream. One that there isn't in this tenant is domain.ErrNotFound.
func load(ctx context.Context, log Log, tenant domain.TenantID, id domain.UUID) (domain.Export, error) {
	found, err := loadAll(ctx, log, tenant, []domain.UUID{id})
	if err == nil && len(found) == 0 {
		err = domain.ErrNotFound
	}
	if err != nil {
		return domain.Export{}, err
	}
	return found[0], nil
}

// endOfLog is beyond every sequence.
const endOfLog = domain.Sequence(1<<63 - 1)

func loadAll(ctx context.Context, log Log, tenant domain.TenantID, ids []domain.UUID) (all []domain.Export, err error) {
	for some := range slices.Chunk(ids, streamsAtOnce) {
		streams := make([]domain.Stream, len(some))
		for i, id := range some {
			streams[i] = domain.Stream{Kind: domain.StreamExport, ID: id}
		}
		entries, err := log.Streams(ctx, tenant, streams, endOfLog)
		if err != nil {
			return nil, err
		}
		exports, err := domain.FoldExports(entries)
		if err != nil {
			return nil, err
		}
		all = append(all, exports...)
	}
	return all, nil
}

// Exports folds a tenant's exports as the log has them, in the order of the ids; unknown ones are left out.
func (r *Runner) Exports(ctx context.Context, tenant domain.TenantID, ids []domain.UUID) ([]domain.Export, error) {
	exports, err := loadAll(ctx, r.Log, tenant, ids)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(exports, func(a, b domain.Export) int { return slices.Index(ids, a.ID) - slices.Index(ids, b.ID) })
	return exports, nil
}

// Progress returns how far an export that isn't finished has come: how many entries of how many are gone through. running
// reports whether it has begun.
func (r *Runner) Progress(id domain.UUID) (done, total int64, running bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one := r.running[id]; one != nil {
		return int64(one.done), int64(one.total), true
	}
	s, ok := readState(filepath.Join(r.Work, id.String())) // perhaps another server, which shares the directory, writes it
	return int64(s.Reached), 0, ok
}

// Open opens an export's file. One that isn't kept any more is fs.ErrNotExist.
func (r *Runner) Open(ctx context.Context, x *domain.Export) (io.ReadSeekCloser, error) {
	if !x.Kept() || len(x.Result.Files) == 0 {
		return nil, fs.ErrNotExist
	}
	return r.Store.Open(ctx, fileKey(x.Tenant, x.ID, x.Result.Files[0].Name))
}

// countBound is how long rows are counted for somebody who waits.
const countBound = 20 * time.Second

// Count counts the rows that an order would export, and how many entries it goes through. It fails with
// context.DeadlineExceeded where that takes too long for somebody to wait.
func (r *Runner) Count(ctx context.Context, tenant domain.TenantID, order *domain.ExportOrder) (rows, entries int64, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, countBound, context.DeadlineExceeded)
	defer cancel()
	s, err := spanOf(ctx, r.Log, tenant, order)
	if err != nil {
		return 0, 0, err
	}
	src, err := newSource(r.Log, &pacer{log: r.Log}, r.Views, tenant, order, s, usual())
	if err != nil {
		return 0, 0, err
	}
	defer func() { cancel(); src.close() }()
	for at := (place{}); ; {
		p, err := src.next(ctx, at)
		if err != nil {
			if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				err = context.DeadlineExceeded
			}
			return 0, 0, err
		}
		rows += int64(len(p.rows))
		if p.done {
			return rows, int64(s.size()), nil
		}
		at = p.next
	}
}
