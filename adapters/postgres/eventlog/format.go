package eventlog

import (
	"context"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
)

// Format is the format that the instance's log was last raised to: kinds of facts, and versions of them, that came with a later
// one must not be written yet, because a program that runs beside this one may not know them. 1: it never was.
func Format(ctx context.Context, log domain.Log) (int, error) {
	entries, err := log.Select(ctx, domain.Query{
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

// RaiseFormat says in the instance's log that kinds of facts up to a format, such as domain.Format, may be written. The operator
// knows that no older program reads the log any more. It reports false when the log was raised as far already.
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
