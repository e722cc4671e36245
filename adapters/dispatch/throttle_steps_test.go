package dispatch

import (
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// TestThrottle tells of the single steps.
func TestThrottle(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	end := func(outcome domain.AttemptOutcome, throttled bool, wait time.Duration) observation {
		o := observation{outcome: outcome, throttled: throttled}
		if wait > 0 {
			o.notBefore = now.Add(wait)
		}
		return o
	}
	full := end(domain.OutcomeFailed, true, 0)
	asks := func(wait time.Duration) observation { return end(domain.OutcomeFailed, true, wait) }
	failed, success := end(domain.OutcomeFailed, false, 0), end(domain.OutcomeSucceeded, false, 0)
	on := throttle{until: now.Add(time.Second), pause: time.Second, single: true}
	past := throttle{until: now.Add(-time.Second), pause: 8 * time.Second, single: true}
	minute := throttle{until: now.Add(-time.Second), pause: time.Minute, single: true}
	tests := map[string]struct {
		from  throttle
		end   observation
		began time.Time
		want  throttle
	}{
		"a success of old":                {throttle{}, success, now, throttle{}},
		"an ordinary failure":             {throttle{}, failed, now, throttle{}},
		"the first complaint":             {throttle{}, full, now, on},
		"one of those under way then":     {on, full, now.Add(-time.Second), on},
		"a success of those":              {on, success, now.Add(-time.Second), on},
		"a failure of those":              {on, failed, now.Add(-time.Second), on},
		"a longer wish of those":          {on, asks(time.Minute), now.Add(-time.Second), throttle{now.Add(time.Minute), time.Second, true}},
		"a shorter wish of those":         {on, asks(time.Millisecond), now.Add(-time.Second), on},
		"a wish beyond all measure":       {throttle{}, asks(1000 * time.Hour), now, throttle{now.Add(24 * time.Hour), 0, true}},
		"the probe complains":             {past, full, now, throttle{now.Add(16 * time.Second), 16 * time.Second, true}},
		"again and again":                 {minute, full, now, throttle{now.Add(time.Minute), time.Minute, true}},
		"the probe complains with a wish": {past, asks(time.Hour), now, throttle{now.Add(time.Hour), 8 * time.Second, true}},
		"the probe fails otherwise":       {past, failed, now, throttle{past.until, 8 * time.Second, false}},
		"the probe succeeds":              {past, success, now, throttle{}},
	}
	for name, test := range tests {
		got := test.from
		test.end.began = test.began
		got.observe(test.end, now)
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}
