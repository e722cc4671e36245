package domain

import (
	"fmt"
	"math"
	"time"
)

// Schedule says how long after a failed attempt the next one follows, and when to give up. It has two forms: a list of
// gaps, or an exponential. It is plain data and is kept in the log, resolved, with each endpoint's configuration.
type Schedule struct {
	// Gaps is the list form: the n-th gap follows the n-th attempt.
	Gaps []Duration `json:"schedule,omitzero"`

	// First, Factor, MaxInterval and MaxElapsed are the exponential form: gaps of First, First×Factor, First×Factor² …,
	// none longer than MaxInterval (0: no limit), as long as the sum of all gaps is at most MaxElapsed.
	First       Duration `json:"first,omitzero"`
	Factor      float64  `json:"factor,omitzero"`
	MaxInterval Duration `json:"max_interval,omitzero"`
	MaxElapsed  Duration `json:"max_elapsed,omitzero"`

	// Jitter spreads each gap by up to this fraction both ways: 0.1 is ±10 %.
	Jitter float64 `json:"jitter,omitzero"`
}

// Bounds of a schedule that a client may ask for.
const (
	MaxGaps        = 100
	MinGap         = Duration(100 * time.Millisecond)
	MaxGap         = Duration(30 * 24 * time.Hour)
	maxJitter      = 0.5
	maxExponential = Duration(90 * 24 * time.Hour)
)

// quickGaps is how many gaps may be as short as MinGap. After them the least one is a second and doubles with each
// further failure, up to maxLeastGap, so that receivers that are down can't fill the log with their attempts.
const (
	quickGaps   = 3
	maxLeastGap = time.Minute
)

// LeastGap returns how short the pause after the n-th attempt (from 1) may be.
func LeastGap(n int) time.Duration {
	if n <= quickGaps {
		return time.Duration(MinGap)
	}
	return min(time.Second<<min(n-quickGaps-1, 6), maxLeastGap)
}

// DefaultSchedule is what an endpoint has when neither it nor its profile says otherwise: ten attempts in 75.6 hours.
func DefaultSchedule() Schedule {
	hours := func(n int) Duration { return Duration(time.Duration(n) * time.Hour) }
	return Schedule{
		Gaps: []Duration{
			Duration(5 * time.Second), Duration(5 * time.Minute), Duration(30 * time.Minute),
			hours(2), hours(5), hours(10), hours(14), hours(20), hours(24),
		},
		Jitter: 0.1,
	}
}

// IsZero reports whether nothing was asked for.
func (s Schedule) IsZero() bool {
	return len(s.Gaps) == 0 && s.First == 0 && s.Factor == 0 && s.MaxInterval == 0 && s.MaxElapsed == 0 && s.Jitter == 0
}

// Validate names the member of a schedule that is wrong, under the field name given.
func (s Schedule) Validate(field string) error {
	if s.Jitter < 0 || s.Jitter > maxJitter || math.IsNaN(s.Jitter) {
		return Invalid(field+".jitter", "must be between 0 and %g", maxJitter)
	}
	exponential := s.First != 0 || s.Factor != 0 || s.MaxInterval != 0 || s.MaxElapsed != 0
	if len(s.Gaps) > 0 {
		if exponential {
			return Invalid(field, "must have either schedule, or first, factor, max_interval and max_elapsed")
		}
		return s.validateGaps(field)
	}
	if !exponential {
		return Invalid(field, "must have schedule, or first, factor and max_elapsed")
	}
	return s.validateExponential(field)
}

func (s Schedule) validateGaps(field string) error {
	if len(s.Gaps) > MaxGaps {
		return Invalid(field+".schedule", "must have at most %d gaps", MaxGaps)
	}
	for i, gap := range s.Gaps {
		if gap < MinGap || gap > MaxGap {
			return Invalid(fmt.Sprintf("%s.schedule[%d]", field, i), "must be between 100ms and 720h")
		}
		if least := LeastGap(i + 1); gap < Duration(least) {
			return Invalid(fmt.Sprintf("%s.schedule[%d]", field, i), "must be at least %v: %s", least, leastRule)
		}
	}
	return nil
}

func (s Schedule) validateExponential(field string) error {
	switch {
	case s.First < MinGap || s.First > MaxGap:
		return Invalid(field+".first", "must be between 100ms and 720h")
	case s.Factor < 1 || s.Factor > 100 || math.IsNaN(s.Factor):
		return Invalid(field+".factor", "must be between 1 and 100")
	case s.MaxInterval < 0 || s.MaxInterval > MaxGap:
		return Invalid(field+".max_interval", "must be 0 (no limit) to 720h")
	case s.MaxElapsed < s.First || s.MaxElapsed > maxExponential:
		return Invalid(field+".max_elapsed", "must be at least first and at most 2160h")
	case len(s.expand()) > MaxGaps:
		return Invalid(field, "must not make more than %d retries: raise first or factor, or lower max_elapsed", MaxGaps)
	}
	for i, gap := range s.expand() {
		if least := LeastGap(i + 1); gap < Duration(least) {
			return Invalid(field, "must leave at least %v after attempt %d: %s", least, i+1, leastRule)
		}
	}
	return nil
}

// leastRule explains LeastGap to people.
const leastRule = "only the first 3 gaps may be shorter than a second; the 4th is at least 1s, and the least gap doubles with " +
	"each further one, up to 1m"

// Gap returns the pause after the n-th attempt (from 1) without jitter, at least LeastGap, and false when the schedule
// has ended.
func (s Schedule) Gap(n int) (time.Duration, bool) {
	gaps := s.Gaps
	if len(gaps) == 0 {
		gaps = s.expand()
	}
	if n < 1 || n > len(gaps) {
		return 0, false
	}
	return max(time.Duration(gaps[n-1]), LeastGap(n)), true
}

// Next returns when the attempt after the n-th is due, given when the n-th ended and a random number in [0, 1) for the
// jitter; false when the schedule has ended. Whole microseconds, as the log keeps them.
func (s Schedule) Next(n int, ended time.Time, random float64) (time.Time, bool) {
	gap, ok := s.Gap(n)
	if !ok {
		return time.Time{}, false
	}
	spread := 1 + s.Jitter*(2*random-1)
	return ended.Add(time.Duration(float64(gap) * spread)).UTC().Truncate(time.Microsecond), true
}

// expand writes the exponential form out, one gap more than MaxGaps at most.
func (s Schedule) expand() []Duration {
	var gaps []Duration
	gap, sum := float64(s.First), float64(0)
	for len(gaps) <= MaxGaps && s.First > 0 {
		if s.MaxInterval > 0 {
			gap = min(gap, float64(s.MaxInterval))
		}
		if sum += gap; sum > float64(s.MaxElapsed) {
			break
		}
		gaps = append(gaps, Duration(gap))
		gap *= max(s.Factor, 1)
	}
	return gaps
}
