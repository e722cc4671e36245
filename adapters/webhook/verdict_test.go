package webhook

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

func TestParseSuccess(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ written, list []string }{
		{[]string{"2xx"}, []string{"2xx"}},
		{[]string{"204", "200"}, []string{"200", "204"}},
		{[]string{"299", "2xx"}, []string{"2xx"}},
	} {
		s, err := ParseSuccess(tt.written)
		if err != nil || !slices.Equal(s.List(), tt.list) {
			t.Errorf("%v is read as %v (%v)", tt.written, s.List(), err)
		}
		if again, err := ParseSuccess(s.List()); err != nil || again != s {
			t.Errorf("%v doesn't read as what it was written from", s.List())
		}
	}
	s, err := ParseSuccess([]string{"200", "202", "204"})
	if err != nil || s.String() != "200, 202 or 204" || s.Has(201) || s.Has(304) || s.Has(0) || s.Has(-1) {
		t.Errorf("read as %s (%v)", s.String(), err)
	}
}

func TestParseSuccess_saysWhereItIsWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		written []string
		field   string
	}{
		{nil, "success"},
		{[]string{"200", "300"}, "success[1]"},
		{[]string{"199"}, "success[0]"},
		{[]string{"2XX"}, "success[0]"},
		{[]string{"+200"}, "success[0]"},
		{[]string{"0200"}, "success[0]"},
		{[]string{"200", "201", "200"}, "success[2]"},
		{[]string{""}, "success[0]"},
	} {
		s, err := ParseSuccess(tt.written)
		var invalid *domain.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != tt.field || s != (Statuses{}) {
			t.Errorf("%q: %v with %v, want a fault of %s", tt.written, err, s.List(), tt.field)
		}
	}
}

// An endpoint's own statuses take the place of its profile's, and are checked with the rest of its configuration.
func TestTarget_Succeeded(t *testing.T) {
	t.Parallel()
	p := embeddedProfile(t, "firespring")
	plain := mustTarget(t, TargetConfig{Profile: p, URL: "https://r.example/"})
	own := mustTarget(t, TargetConfig{Profile: p, URL: "https://r.example/", Success: []string{"202", "204"}})
	for status, want := range map[int][2]bool{200: {true, false}, 201: {}, 202: {false, true}, 204: {false, true}, 301: {}, 0: {}} {
		if got := [2]bool{plain.Succeeded(status), own.Succeeded(status)}; got != want {
			t.Errorf("%d: the profile says %v, the endpoint %v", status, got[0], got[1])
		}
	}
	_, err := NewTarget(TargetConfig{Profile: p, URL: "https://r.example/", Success: []string{"2xx", "404"}})
	var invalid *domain.InvalidError
	if !errors.As(err, &invalid) || invalid.Field != "success[1]" {
		t.Errorf("%v, want a fault of success[1]", err)
	}
}

func TestTarget_Judge(t *testing.T) {
	t.Parallel()
	honours := mustTarget(t, TargetConfig{Profile: embeddedProfile(t, "standard-webhooks"), URL: "https://r.example/"})
	promised := mustTarget(t, TargetConfig{Profile: embeddedProfile(t, "firespring"), URL: "https://r.example/"})
	ended := time.Unix(1700137999, 0)
	asked := ended.Add(2 * time.Minute)
	for _, tt := range []struct {
		name               string
		result             Result
		honours, otherwise Verdict
	}{
		{"success", Result{StatusCode: 200, RetryAfter: 2 * time.Minute}, Verdict{Succeeded: true}, Verdict{Succeeded: true}},
		{"success elsewhere", Result{StatusCode: 204}, Verdict{Succeeded: true}, Verdict{}},
		{"error", Result{StatusCode: 500}, Verdict{}, Verdict{}},
		{"error with a wish", Result{StatusCode: 500, RetryAfter: 2 * time.Minute}, Verdict{NotBefore: asked}, Verdict{}},
		{"gone", Result{StatusCode: 410}, Verdict{Gone: true}, Verdict{}},
		{"too many", Result{StatusCode: 429, RetryAfter: 2 * time.Minute}, Verdict{Throttle: true, NotBefore: asked}, Verdict{}},
		{"unavailable", Result{StatusCode: 503}, Verdict{Throttle: true}, Verdict{}},
		{"no answer", Result{ErrorCode: Timeout}, Verdict{}, Verdict{}},
		{"redirect", Result{StatusCode: 302, ErrorCode: Redirect}, Verdict{}, Verdict{}},
	} {
		tt.result.Finished = ended
		if got := honours.Judge(&tt.result); got != tt.honours {
			t.Errorf("%s, honoured: %+v", tt.name, got)
		}
		if got := promised.Judge(&tt.result); got != tt.otherwise {
			t.Errorf("%s, not honoured: %+v", tt.name, got)
		}
	}
}

// What a receiver asks for is bounded where it is read, so a verdict can't put a delivery off for longer than a day.
func TestTarget_Judge_retryAfterIsBounded(t *testing.T) {
	t.Parallel()
	url := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", strconv.Itoa(30*24*3600))
		w.WriteHeader(http.StatusTooManyRequests)
	})
	target := sampleTarget(t, embeddedProfile(t, "standard-webhooks"), url)
	r := newSender(
		loopback(),
		nil,
		nil,
	).Send(t.Context(), mustBuild(t, target, sampleEvent(), Attempt{Number: 1, At: time.Now()}), 10*time.Second)
	if v := target.Judge(&r); !v.Throttle || !v.NotBefore.Equal(r.Finished.Add(24*time.Hour)) {
		t.Errorf("%+v after %s", v, r.Finished)
	}
}
