package dispatch_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// promise is what a wire profile's document says about attempts. How an answer is judged is the webhook adapter's; here
// it is written once more, from the documents' description.
type promise struct {
	Success           []string
	Timeout           domain.Duration
	Retry             json.RawMessage
	HonoursRetryAfter bool `json:"honours_retry_after"`
}

func promiseOf(t *testing.T, profile string) promise {
	t.Helper()
	text, err := os.ReadFile("../webhook/profiles/" + profile + ".v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var p promise
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p promise) schedule(t *testing.T) domain.Schedule {
	t.Helper()
	if string(p.Retry) == `"default"` {
		return domain.DefaultSchedule()
	}
	var s domain.Schedule
	if err := json.Unmarshal(p.Retry, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// reply is one answer of a receiver.
type reply struct {
	status int
	wait   time.Duration // Retry-After; 0: none
	took   time.Duration
}

// script is a receiver that gives the n-th reply to the n-th attempt, and the last one to all further.
type script struct {
	promise  promise
	replies  []reply
	receiver *receiver // notes the requests
}

// Send implements Sender.
func (s script) Send(ctx context.Context, sh domain.Shipment) domain.Answer {
	r := s.replies[min(sh.Attempt.Number, len(s.replies))-1]
	s.receiver.mu.Lock()
	s.receiver.requests = append(s.receiver.requests, request{sh.Delivery.ID, sh.Attempt.Number, sh.Event.ID, sh.Endpoint.ID, time.Now()})
	s.receiver.mu.Unlock()
	ctx, cancel := context.WithDeadline(ctx, sh.Deadline)
	defer cancel()
	timer := time.NewTimer(r.took)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return failsBy("timeout")
	}
	return s.promise.judge(r)
}

func (p promise) judge(r reply) domain.Answer {
	a := domain.Answer{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeFailed, StatusCode: r.status, FinishedAt: time.Now()}}}
	code := strconv.Itoa(r.status)
	if slices.Contains(p.Success, code) || slices.Contains(p.Success, code[:1]+"xx") {
		a.Result.Outcome = domain.OutcomeSucceeded
		return a
	}
	if p.HonoursRetryAfter {
		a.Gone, a.Throttle = r.status == 410, r.status == 429 || r.status == 503
		if r.wait > 0 {
			a.NotBefore = a.Result.FinishedAt.Add(r.wait)
		}
	}
	return a
}

// attempts returns the results of a delivery's attempts.
func (w *world) attempts(delivery domain.UUID) (results []domain.AttemptResult) {
	for _, e := range w.entries() {
		if f, ok := e.Fact.(*domain.AttemptFinished); ok && e.Stream.ID == delivery {
			results = append(results, f.Result)
		}
	}
	return results
}

// play has one event delivered to a receiver by a script, for some time. It returns the delivery, its endpoint and when
// each attempt began, counted from the first.
func (w *world) play(t *testing.T, s script, last time.Duration, config func(*domain.EndpointConfig)) (d domain.UUID, endpoint domain.UUID, at []time.Duration) {
	t.Helper()
	endpoint = w.endpoint(func(c *domain.EndpointConfig) {
		c.Retry = s.promise.schedule(t)
		if s.promise.Timeout > 0 {
			c.Timeout = s.promise.Timeout
		}
		if config != nil {
			config(c)
		}
	})
	w.subscribe(endpoint, "*")
	n := w.start(func(set *dispatch.Settings) {
		set.Sender = s
		set.Random = func() float64 { return 0.999 } // a schedule without jitter asks for no chance
		slowBeat(set)
	})
	synctest.Wait()
	w.event("a")
	time.Sleep(last)
	n.end(t)
	for _, r := range w.receiver.seen() {
		at = append(at, r.at.Sub(w.receiver.seen()[0].at))
	}
	w.check()
	return w.deliveries()[0].ID, endpoint, at
}

// TestPromise_Firespring walks the three days that firespring promises, with every answer that might tempt one to do
// otherwise: the schedule is kept, only a 200 within 30 s ends it, and the endpoint is disabled only when it has ended.
func TestPromise_Firespring(t *testing.T) {
	t.Parallel()
	replies := []reply{
		{status: 500},
		{status: 204},
		{status: 200, took: 30*time.Second + 1},
		{status: 429, wait: 10 * time.Hour},
		{status: 410},
		{status: 503, wait: 24 * time.Hour},
		{status: 500},
	}
	// Gaps run from the end of the attempt before: the third lasted for 30 s.
	var want []time.Duration
	for i, at := range []int{0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 2047, 4095} {
		want = append(want, time.Duration(at)*time.Minute)
		if i >= 3 {
			want[i] += 30 * time.Second
		}
	}
	t.Run("never", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, w *world) {
			s := script{promiseOf(t, "firespring"), replies, w.receiver}
			d, endpoint, at := w.play(t, s, 73*time.Hour, func(c *domain.EndpointConfig) { c.DisableAfter = domain.MinDisableAfter })
			if !slices.Equal(at, want) {
				t.Errorf("attempts after %v, want %v", at, want)
			}
			results := w.attempts(d)
			for i, r := range results {
				if i == len(results)-1 {
					break
				}
				if r.Status != domain.DeliveryRetrying || r.NextAttemptAt.Sub(r.FinishedAt) != time.Minute<<i {
					t.Errorf("after attempt %d the log says %s, next in %v", r.Number, r.Status, r.NextAttemptAt.Sub(r.FinishedAt))
				}
			}
			last := results[len(results)-1]
			if len(results) != 13 || last.Status != domain.DeliveryDead || !last.NextAttemptAt.IsZero() {
				t.Errorf("after %d attempts the log says %s, next at %v", len(results), last.Status, last.NextAttemptAt)
			}
			if results[2].Error != "timeout" {
				t.Errorf("an answer after 30 s counts: %+v", results[2])
			}
			if reasons, at := w.disabled(endpoint); len(at) != 1 || reasons[0] != domain.DisabledFailing || at[0].Before(last.FinishedAt) {
				t.Errorf("the endpoint was disabled for %q at %v, the schedule ended at %v", reasons, at, last.FinishedAt)
			}
		})
	})
	t.Run("at last", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, w *world) {
			all := append(slices.Clone(replies), slices.Repeat([]reply{{status: 500}}, 5)...)
			s := script{promiseOf(t, "firespring"), append(all, reply{status: 200, took: 29 * time.Second}), w.receiver}
			d, endpoint, at := w.play(t, s, 69*time.Hour, nil)
			if !slices.Equal(at, want) {
				t.Errorf("attempts after %v, want %v", at, want)
			}
			if r := w.attempts(d); len(r) != 13 || r[12].Status != domain.DeliverySucceeded {
				t.Errorf("after %d attempts the log says %s", len(r), r[len(r)-1].Status)
			}
			if reasons, _ := w.disabled(endpoint); len(reasons) != 0 {
				t.Errorf("the endpoint was disabled for %q", reasons)
			}
		})
	})
}

// TestPromise_Stashfin: where Retry-After is honoured it puts the next attempt off, by at most a day, and never brings
// it forward; the log says when it is due.
func TestPromise_Stashfin(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		s := script{promiseOf(t, "stashfin"), []reply{
			{status: 503, wait: time.Hour},
			{status: 500, wait: 100 * time.Hour},
			{status: 429, wait: time.Minute}, // the schedule's half an hour is longer
			{status: 503},                    // a second for the endpoint, two hours for the delivery
			{status: 202},
		}, w.receiver}
		d, _, at := w.play(t, s, 28*time.Hour, func(c *domain.EndpointConfig) { c.Retry.Jitter = 0 })
		want := []time.Duration{0, time.Hour, 25 * time.Hour, 25*time.Hour + 30*time.Minute, 27*time.Hour + 30*time.Minute}
		if !slices.Equal(at, want) {
			t.Errorf("attempts after %v, want %v", at, want)
		}
		var gaps []time.Duration
		for _, r := range w.attempts(d) {
			if r.Status == domain.DeliveryRetrying {
				gaps = append(gaps, r.NextAttemptAt.Sub(r.FinishedAt))
			}
		}
		if want := []time.Duration{time.Hour, domain.MaxRetryAfter, 30 * time.Minute, 2 * time.Hour}; !slices.Equal(gaps, want) {
			t.Errorf("the log says the next attempt is due after %v, want %v", gaps, want)
		}
	})
}

// TestPromise_StashfinGone: a 410 ends the delivery and disables the endpoint at once, where it is honoured.
func TestPromise_StashfinGone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		s := script{promiseOf(t, "stashfin"), []reply{{status: 500}, {status: 410}}, w.receiver}
		d, endpoint, _ := w.play(t, s, time.Hour, nil)
		if r := w.attempts(d); len(r) != 2 || r[1].Status != domain.DeliveryDead {
			t.Errorf("attempts: %+v", r)
		}
		if reasons, _ := w.disabled(endpoint); !slices.Equal(reasons, []string{domain.DisabledGone}) {
			t.Errorf("the endpoint was disabled for %q", reasons)
		}
	})
}
