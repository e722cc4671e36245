package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// judgement says why an endpoint, as it is configured now, is to be disabled; "" when it isn't.
type judgement func(e projections.Endpoint) (reason string)

// gone judges by the answer, of the receiver that was asked, that it wants nothing more.
func gone(asked *domain.EndpointConfig) judgement {
	return func(e projections.Endpoint) string {
		if e.Moved(*asked) {
			return ""
		}
		return domain.DisabledGone
	}
}

// disable drafts an endpoint's disabling, with the operational event about it, as of the fold; nil when it is deleted, is
// disabled already or isn't to be; mu is held.
func (d *Dispatcher) disable(l *lane, judge judgement, cause domain.Sequence) []domain.Draft {
	row, ok := d.config.Endpoint(l.endpoint)
	if _, lives := d.config.Tenant(l.tenant); !ok || !lives {
		return nil
	}
	reason := judge(row)
	if reason == "" {
		return nil
	}
	fact, err := row.Disable(reason)
	if err != nil || fact == nil {
		return nil
	}
	drafts := []domain.Draft{{
		Tenant: l.tenant, Stream: domain.Stream{Kind: domain.StreamEndpoint, ID: l.endpoint},
		Expected: row.Version, Cause: cause, Fact: fact,
	}}
	if d.wanted(l.tenant, domain.EventEndpointDisabled) {
		n := domain.Notice{Endpoint: l.endpoint, Reason: reason}
		if reason == domain.DisabledGone {
			n.StatusCode = http.StatusGone
		}
		event := domain.OperationalEvent(l.tenant, domain.EventEndpointDisabled, n)
		event.Cause = cause
		drafts = append(drafts, event)
	}
	return drafts
}

// disableNow appends an endpoint's disabling, judging anew whenever somebody has changed it meanwhile, until it is known
// what became of it.
func (d *Dispatcher) disableNow(l *lane, judge judgement, cause domain.Sequence) {
	var pause backoff
	alone := false
	for {
		d.mu.Lock()
		var drafts []domain.Draft
		if !l.shard.lost {
			drafts = d.disable(l, judge, cause)
		}
		l.disabling = drafts != nil
		d.touch(l)
		d.unlock()
		if drafts == nil {
			return
		}
		if alone {
			drafts = drafts[:1]
		}
		_, err := domain.AppendOne(d.io, d.router, domain.Group{Drafts: drafts, Fences: l.shard.fences})
		switch {
		case err == nil:
			d.noteDisabled(l, drafts)
			return
		case errors.Is(err, domain.ErrFenced):
			d.lose(l.shard)
			return
		case errors.Is(err, domain.ErrConflict):
			if d.awaitChange(d.io, l, drafts[0].Expected) != nil {
				return
			}
			continue
		case unroutable(err): // the operational event, that is
			alone = true
			continue
		case !transient(err):
			d.resist(l, err)
			return
		}
		d.trouble("disable an endpoint", err)
		if pause.wait(d.io) != nil {
			return
		}
	}
}

// noteDisabled counts and logs an endpoint's disabling, as it was drafted, once it is in the log.
func (d *Dispatcher) noteDisabled(l *lane, drafts []domain.Draft) {
	d.metrics.disabled.Inc()
	if fact, ok := drafts[0].Fact.(*domain.EndpointDisabled); ok {
		d.set.Logger.Info("endpoint disabled", slog.Any("endpoint", l.endpoint), slog.String("reason", fact.Endpoint.Disabled))
	}
}

// resist goes on with an endpoint of which the log doesn't take that it is disabled: since its tenant was deleted, or by a
// defect.
func (d *Dispatcher) resist(l *lane, err error) {
	if !errors.Is(err, domain.ErrUnknownTenant) {
		d.set.Logger.Error("the log refuses that an endpoint is disabled", slog.Any("endpoint", l.endpoint), slog.Any("error", err))
	}
	d.mu.Lock()
	l.disabling = false
	d.touch(l)
	d.unlock()
}

// awaitChange returns when the fold has an endpoint in another version than one, or with ctx's error.
func (d *Dispatcher) awaitChange(ctx context.Context, l *lane, version int) error {
	for {
		d.mu.Lock()
		row, ok := d.config.Endpoint(l.endpoint)
		at := d.position
		d.mu.Unlock()
		if !ok || row.Version != version {
			return nil
		}
		if err := d.await(ctx, at); err != nil {
			return err
		}
	}
}
