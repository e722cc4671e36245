package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// examination is of an endpoint that may have failed for too long. It takes place when a delivery's schedule has ended
// without success, in the background, and one at a time for an endpoint.
type examination struct {
	because *death // what makes the next one necessary; nil: nothing does
	running bool
	// sound is until when the endpoint can't have failed for too long, whatever fails.
	sound time.Time
}

// death is the end of a delivery's schedule, as the log has it.
type death struct {
	position domain.Position
	sequence domain.Sequence
	at       time.Time
}

// examineTimeout bounds how long the views may take until they reflect a death.
const examineTimeout = time.Minute

// died has an endpoint examined; mu is held.
func (d *Dispatcher) died(l *lane, of death) {
	if l.config == nil || l.config.DisableAfter == 0 || time.Now().Before(l.examined.sound) || d.stopping {
		return
	}
	l.examined.because = &of
	if l.examined.running {
		return
	}
	l.examined.running = true
	d.tasks.Add(1) // none of the shard's tasks: views that are far behind must not keep the shard here
	go func() {
		defer d.tasks.Done()
		d.examine(l)
	}()
}

func (d *Dispatcher) examine(l *lane) {
	for {
		d.mu.Lock()
		because := l.examined.because
		l.examined.because = nil
		l.examined.running = because != nil && !l.shard.lost && !d.stopping
		running := l.examined.running
		d.unlock()
		if !running {
			return
		}
		health, err := d.health(l.endpoint, because.position)
		if err != nil {
			d.set.Logger.Warn("an endpoint's health can't be read: whether it is to be disabled is asked again at the next dead delivery",
				slog.Any("endpoint", l.endpoint), slog.Any("error", err))
			continue
		}
		d.disableNow(l, failing(l, health, because.at), because.sequence)
	}
}

func (d *Dispatcher) health(endpoint domain.UUID, atLeast domain.Position) (domain.Health, error) {
	ctx, cancel := context.WithTimeout(d.work, examineTimeout)
	defer cancel()
	h, _, err := d.set.State.Health(ctx, endpoint, atLeast)
	return h, err
}

// failing judges by an endpoint's health as it was at a time or later, and notes in the lane how long that holds.
func failing(l *lane, health domain.Health, at time.Time) judgement {
	return func(e projections.Endpoint) string {
		changed := e.Updated.RecordedAt
		if e.Failed(health, changed, time.Now()) {
			return domain.DisabledFailing
		}
		l.examined.sound = e.FailsAt(health, changed)
		if health.FailingSince.IsZero() { // a failure counts from now on at the earliest
			l.examined.sound = at.Add(time.Duration(e.DisableAfter))
		}
		return ""
	}
}
