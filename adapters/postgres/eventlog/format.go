package eventlog

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/hooktrail/hooktrail/domain"
)

// Format is the format that the instance's log was last raised to: kinds of facts, and versions of them, that came with
// a later one must not be written yet, because a program that runs beside this one may not know them. 1: it never was.
func Format(ctx context.Context, log domain.Log) (int, error) {
	entries, err := domain.Select(ctx, log, domain.Query{
		Tenant: domain.InstanceTenant, Kind: domain.KindFormatRaised, Descending: true, Limit: 1,
	})
	if err != nil {
		return 0, fmt.Errorf("read the log's format: %w", err)
	}
	if len(entries) == 0 {
		return 1, nil
	}
	raised, ok := entries[0].Fact.(*domain.FormatRaised)
	if !ok {
		return 0, fmt.Errorf("read the log's format: the entry at sequence %d of the instance's log can't be read", entries[0].Sequence)
	}
	return raised.Format, nil
}

// formatGate keeps kinds and versions out of the log that older programs don't know, as long as the log isn't raised to
// the format that introduced them. Safe for concurrent use.
type formatGate struct {
	introduced func(domain.Kind) int
	raised     atomic.Int64 // as far as this process knows; it only ever grows
}

// check refuses a group with domain.ErrFormat. The log is read only where a draft needs more than is known.
func (g *formatGate) check(ctx context.Context, log domain.Log, group *domain.Group) error {
	for i := range group.Drafts {
		kind := group.Drafts[i].Fact.Kind()
		need := g.introduced(kind)
		if need <= 1 || int64(need) <= g.raised.Load() {
			continue
		}
		raised, err := Format(ctx, log)
		if err != nil {
			return fmt.Errorf("append: draft %d: %w", i, err)
		}
		if need > raised {
			return fmt.Errorf("append: draft %d: %s version %d came with format %d, the log has format %d: %w",
				i, kind, kind.Version(), need, raised, domain.ErrFormat)
		}
		g.raised.Store(int64(raised))
	}
	return nil
}

// RaiseFormat says in the instance's log that kinds of facts up to a format, such as domain.Format, may be written. The
// operator knows that no older program reads the log any more. It reports false when the log was raised as far already.
func RaiseFormat(ctx context.Context, log domain.Log, format int, by domain.Actor) (raised bool, err error) {
	current, err := Format(ctx, log)
	if err != nil || current >= format {
		return false, err
	}
	_, err = domain.AppendOne(ctx, log, domain.Group{Drafts: []domain.Draft{{
		Tenant: domain.InstanceTenant, Stream: ofInstance(), By: by, Fact: &domain.FormatRaised{Format: format},
	}}})
	if err != nil {
		return false, fmt.Errorf("raise the log's format: %w", err)
	}
	return true, nil
}

// ofInstance is a new stream for what an operator decides for the whole instance. Streams of tenants have only their
// configuration: views hold its versions against the streams'.
func ofInstance() domain.Stream {
	return domain.Stream{Kind: domain.StreamServer, ID: domain.NewUUID()}
}
