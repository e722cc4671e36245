package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// disabler disables endpoints whose receivers are gone, or have failed for too long.
type disabler struct {
	log      domain.Log // the Router: a disabling may bring an operational event with it
	set      *Settings
	progress *progress
	metrics  *metrics
	trouble  *trouble
}

// follow does what follows from an attempt's end that is in the log: it is either said there that the endpoint is
// disabled, or is still to be said, or the endpoint is examined.
func (s *disabler) follow(ctx context.Context, e *ending, of death) {
	l := e.item.lane
	switch {
	case e.disables && e.disabled != nil:
		s.note(l, e.disabled)
	case e.disables:
		l.shard.background(func() { s.disable(ctx, l, gone(e.asked), of.sequence) })
	case e.exhausted && !e.unsent:
		l.died(of)
	}
}

// note counts and logs an endpoint's disabling, as it was drafted, once it is in the log.
func (s *disabler) note(l *lane, drafts []domain.Draft) {
	s.metrics.disabled.Inc()
	if fact, ok := drafts[0].Fact.(*domain.EndpointDisabled); ok {
		s.set.Logger.Info("endpoint disabled",
			slog.Any("endpoint", l.endpoint), slog.String("reason", fact.Endpoint.Disabled))
	}
}

// disable appends an endpoint's disabling, deciding again whenever somebody has changed it meanwhile, until it is known
// what became of it.
func (s *disabler) disable(ctx context.Context, l *lane, judge judgement, cause domain.Sequence) {
	var pause backoff
	alone := false
	for {
		at := s.progress.at()
		drafts := l.disable(judge, cause)
		if drafts == nil {
			return
		}
		if alone {
			drafts = drafts[:1]
		}
		_, err := domain.AppendOne(ctx, s.log, domain.Group{Drafts: drafts, Fences: l.shard.fences})
		switch {
		case err == nil:
			s.note(l, drafts)
			return
		case errors.Is(err, domain.ErrFenced):
			l.shard.lose()
			return
		case errors.Is(err, domain.ErrConflict): // somebody has changed the endpoint
			for !l.changed(drafts[0].Expected) {
				if s.progress.await(ctx, at) != nil {
					return
				}
				at = s.progress.at()
			}
			continue
		case unroutable(err): // the operational event, that is
			alone = true
			continue
		case !transient(err): // the tenant was deleted, or it is a defect: the endpoint goes on
			if !errors.Is(err, domain.ErrUnknownTenant) {
				s.set.Logger.Error("the log refuses that an endpoint is disabled",
					slog.Any("endpoint", l.endpoint), slog.Any("error", err))
			}
			l.resume()
			return
		}
		s.trouble.warn("disable an endpoint", err)
		if pause.wait(ctx) != nil {
			return
		}
	}
}

// examineTimeout bounds how long the views may take until they reflect a death.
const examineTimeout = time.Minute

// examine judges, by the views as of the newest death, whether an endpoint has failed for too long, until nothing makes
// another examination necessary. Views are read until work ends, appends go on until ctx does.
func (s *disabler) examine(ctx, work context.Context, l *lane) {
	for {
		because := l.nextExamination()
		if because == nil {
			return
		}
		read, cancel := context.WithTimeout(work, examineTimeout)
		health, _, err := s.set.State.Health(read, l.endpoint, because.position)
		cancel()
		if err != nil {
			s.set.Logger.Warn("an endpoint's health can't be read: it is asked for again at the next dead delivery",
				slog.Any("endpoint", l.endpoint), slog.Any("error", err))
			continue
		}
		s.disable(ctx, l, failing(health, because.at, &l.examined.sound), because.sequence)
	}
}
