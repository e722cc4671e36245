package dispatch

import (
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Pauses of an endpoint whose receiver complains that it gets too much, but not for how long it wants nothing.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// throttle slows down the lane of an endpoint whose receiver gets too much. No attempt begins before until; then they
// go one at a time, until one of those is answered without a complaint. It is in memory only: who takes the shard over
// finds out by an attempt. The zero value lets everything through.
type throttle struct {
	until  time.Time
	pause  time.Duration // the last one that the receiver didn't choose; 0: none since the last success
	single bool          // one attempt at a time
}

// refusal is what holds an endpoint's due deliveries: since when they are refused a token. The zero value: nothing does.
type refusal struct {
	by    string
	since time.Time
}

// note takes notice of a delivery that was refused a token, because of the throttle or the rate limit.
func (h *refusal) note(throttled bool, now time.Time) {
	by := domain.HeldByRateLimit
	if throttled {
		by = domain.HeldByReceiver
	}
	if h.by != by {
		*h = refusal{by, now}
	}
}

// observation is what the outcome of an attempt says about its receiver.
type observation struct {
	began     time.Time // when the attempt's start was submitted
	outcome   domain.AttemptOutcome
	throttled bool      // the receiver gets too much
	notBefore time.Time // asked for by the receiver; zero: nothing asked
}

// observe updates the throttle with the outcome of an attempt. Attempts that began before until are ignored: they were
// in flight when the receiver complained.
func (t *throttle) observe(o observation, now time.Time) {
	probe := !o.began.Before(t.until)
	switch {
	case o.throttled:
		t.raise(o.notBefore, probe, now)
	case !probe:
	case o.outcome == domain.OutcomeSucceeded:
		*t = throttle{}
	default:
		t.single = false
	}
}

// raise slows the lane down, or slows it down for longer: until the time that the receiver asks for or, where it asks
// for none, for twice as long as the last time. The complaints of attempts that were under way together count once.
func (t *throttle) raise(notBefore time.Time, probe bool, now time.Time) {
	until := notBefore
	switch {
	case until.After(now.Add(domain.MaxRetryAfter)):
		until = now.Add(domain.MaxRetryAfter)
	case until.IsZero() && probe:
		t.pause = min(max(2*t.pause, firstPause), longestPause)
		until = now.Add(t.pause)
	}
	if until.After(t.until) {
		t.until = until
	}
	t.single = true
}

// on reports whether the lane is slowed down.
func (t *throttle) on(now time.Time) bool { return t.single || t.until.After(now) }
