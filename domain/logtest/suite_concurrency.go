package logtest

import (
	"errors"
	"slices"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

const (
	writers = 16
	rounds  = 10
)

// testConcurrency has many callers append at once: events of their own, and entries on one stream for which they all
// compete, while readers follow the log.
func testConcurrency(f *fixture) {
	shared := f.append(group(f.event()))[0].Stream
	begin := f.head()
	won := make([]int, writers)
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() { won[w] = f.compete(shared) })
	}
	followed := make([][]domain.Entry, 3)
	target := begin + writers*rounds*2
	for r := range followed {
		work.Go(func() { followed[r] = f.follow(begin, target, 7*r+1) })
	}
	work.Wait()

	total := 0
	for _, n := range won {
		total += n
	}
	if total != writers*rounds {
		f.Errorf("%d appends on the shared stream succeeded, want %d", total, writers*rounds)
	}
	all := Verify(f.T, f.log)[begin:]
	for _, entries := range followed {
		for i, e := range entries {
			sameEntry(f.T, e, all[i])
		}
	}
}

// compete appends rounds groups, each an event and an entry on the shared stream at the version that it believes in, and
// says how many times it got through.
func (f *fixture) compete(shared domain.Stream) (won int) {
	for won < rounds {
		version := f.version(shared)
		entries, err := domain.AppendOne(f.Context(), f.log, group(f.event(), f.on(shared, version)))
		switch {
		case errors.Is(err, domain.ErrConflict):
		case err != nil || len(entries) != 2 || entries[1].StreamVersion != version+1:
			f.Errorf("append at version %d: %+v, %v", version, entries, err)
			return won
		default:
			won++
		}
	}
	return won
}

func (f *fixture) version(stream domain.Stream) int {
	found, err := domain.Select(f.Context(), f.log, domain.Query{Tenant: f.tenant, Stream: stream, Descending: true, Limit: 1})
	if err != nil || len(found) != 1 {
		f.Errorf("select the stream's last entry: %v", err)
		return 0
	}
	return found[0].StreamVersion
}

// follow reads the log as a follower does until it holds a position.
func (f *fixture) follow(after, until domain.Position, limit int) []domain.Entry {
	var all []domain.Entry
	for after < until && f.Context().Err() == nil {
		page, err := f.log.Page(f.Context(), after, limit)
		if err != nil {
			f.Errorf("page after %d: %v", after, err)
			return all
		}
		for _, e := range page {
			if after++; e.Position != after {
				f.Errorf("a follower got position %d, want %d", e.Position, after)
				return all
			}
		}
		if all = slices.Concat(all, page); len(page) == 0 {
			f.log.Await(f.Context(), after)
		}
	}
	return all
}
