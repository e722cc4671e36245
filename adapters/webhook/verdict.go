package webhook

import (
	"net/http"
	"time"
)

// Verdict is what an answer means to whoever sent the request. A 410, 429 or 503 and a Retry-After have a meaning of
// their own only where the profile honours them; elsewhere the schedule is a promise, whatever the receiver asks for.
type Verdict struct {
	Succeeded bool
	Gone      bool      // 410: the receiver wants nothing more, so neither a retry nor another delivery
	Throttle  bool      // 429 or 503: the endpoint gets too much, this delivery is an ordinary failure
	NotBefore time.Time // no retry before this time, at most 24 h from the answer; zero: as the schedule says
}

// Succeeded reports whether a status code is a success to this endpoint.
func (t *Target) Succeeded(status int) bool { return t.success.Has(status) }

// Judge says what came of a request of this target.
func (t *Target) Judge(r *Result) Verdict {
	if r.ErrorCode == "" && t.Succeeded(r.StatusCode) {
		return Verdict{Succeeded: true}
	}
	if !t.profile.HonoursRetryAfter {
		return Verdict{}
	}
	v := Verdict{
		Gone:     r.StatusCode == http.StatusGone,
		Throttle: r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusServiceUnavailable,
	}
	if r.RetryAfter > 0 {
		v.NotBefore = r.Finished.Add(r.RetryAfter)
	}
	return v
}
