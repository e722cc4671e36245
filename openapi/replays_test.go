package openapi_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/replay"
	"github.com/hooktrail/hooktrail/domain"
)

// TestRedrives: a dry run counts exactly and appends nothing; the redrive does as it said; who asked, and why, is in the log.
func TestRedrives(t *testing.T) {
	t.Parallel()
	f := newResender(t)
	const acme = "/v1/tenants/acme"
	for n := range 3 {
		event := f.event("acme", fmt.Sprint("e", n))
		f.attempt(event, f.endpoint, f.deliver(event, f.endpoint), 1, domain.DeliveryDead)
	}
	f.settle()
	before := f.head()
	dry := f.post(f.operator, acme+"/redrives", `{"reason":"fixed","dry_run":true,"filter":{"endpoint_id":"`+f.endpoint+`"}}`).want(http.StatusOK)
	if dry.number("counts.sent") != 3 || dry.number("counts.examined") != 3 || dry.text("sample.0.event_id") != "e0" || dry.text("sample.2.endpoint_id") != f.endpoint {
		t.Errorf("the dry run says %s", dry.Body)
	}
	for filter, want := range map[string]int{
		`"event_types":["offer.*"]`: 3, `"event_types":["other"]`: 0, `"status":["succeeded"]`: 0, `"error_code":["500"]`: 3,
		`"error_code":["timeout"]`: 0, `"to_sequence":2`: 0, `"to":"2001-01-01T00:00:00Z"`: 0, `"from":"2001-01-01T00:00:00Z"`: 3,
		`"skip_reason":["subscription_paused"]`: 0, `"subscription_id":"` + domain.NewUUID().String() + `"`: 0,
	} {
		got := f.post(f.operator, acme+"/redrives", `{"reason":"fixed","dry_run":true,"filter":{`+filter+`}}`).want(http.StatusOK)
		if got.number("counts.sent") != want {
			t.Errorf("%s chooses %s", filter, got.Body)
		}
	}
	if f.head() != before {
		t.Error("a dry run was appended")
	}
	made := f.post(f.operator, acme+"/redrives", `{"reason":"fixed"}`).want(http.StatusAccepted)
	path := acme + "/redrives/" + made.text("id")
	if made.text("status") != "queued" || made.Header.Get("Location") != path || made.number("filter.to_sequence") != made.number("created_sequence") {
		t.Errorf("made %v %s", made.Header, made.Body)
	}
	entry := f.get(f.operator, acme+"/log?kind=replay.created").want(http.StatusOK)
	if entry.text("items.0.reason") != "fixed" || entry.text("items.0.actor.principal") == "" {
		t.Errorf("the log says %s", entry.Body)
	}
	f.post(f.operator, path+"/approve", "").problem(http.StatusConflict, "wrong_status")
	f.get(f.operator, acme+"/replays/"+made.text("id")).problem(http.StatusNotFound, "not_found")
	f.post(f.operator, path+"/pause", "").want(http.StatusOK)
	f.post(f.operator, path+"/pause", "").problem(http.StatusConflict, "wrong_status")
	f.post(f.operator, path+"/resume", "").want(http.StatusOK)

	f.runReplays()
	got := f.get(f.operator, path).want(http.StatusOK)
	if got.text("status") != "succeeded" || got.number("counts.sent") != 3 || got.number("results.pending") != 3 || got.number("progress.done") != got.number("progress.total") {
		t.Errorf("it is %s", got.Body)
	}
	list := f.get(f.operator, acme+"/redrives").want(http.StatusOK)
	if list.text("items.0.id") != made.text("id") {
		t.Errorf("listed %s", list.Body)
	}
	f.do(f.operator, http.MethodDelete, path, "").problem(http.StatusConflict, "wrong_status")
}

// held says who was the last to take a lease.
type held struct{ resender }

// Standing implements replay.Leases.
func (h *held) Standing(ctx context.Context) (s domain.Standing, err error) {
	entries, err := domain.Select(ctx, h.log, domain.Query{Tenant: domain.InstanceTenant, Kind: domain.KindLeaseTaken, Limit: 1000})
	for _, e := range entries {
		f := e.Fact.(*domain.LeaseTaken)
		s.Leases = []domain.Lease{{Name: f.Leases[0].Name, Owner: f.Node, Epoch: f.Leases[0].Epoch}}
	}
	return s, err
}

// runReplays has one node take a few steps.
func (f resender) runReplays() {
	f.t.Helper()
	for range 5 { // each by a new node, after the one before has died
		runner := replay.New(replay.Settings{
			Log: readable{f.log}, State: f.views, Leases: &held{f}, Node: domain.NewUUID(), Logger: slog.New(slog.DiscardHandler),
		})
		if _, err := runner.Round(f.t.Context()); err != nil {
			f.t.Fatal(err)
		}
		f.settle()
	}
}

// TestRedrives_Refused: what makes no sense, or isn't for the caller.
func TestRedrives_Refused(t *testing.T) {
	t.Parallel()
	f := newResender(t)
	const redrives, replays = "/v1/tenants/acme/redrives", "/v1/tenants/acme/replays"
	foreign := f.post(f.operator, "/v1/tenants/other/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	auditor, receiver, stranger := f.key("acme", domain.RoleAuditor), f.receiverOf("/v1/tenants/acme/endpoints/"+f.endpoint), f.key("other", domain.RoleAdmin)
	before := f.head()
	for _, c := range []struct {
		key, target, body string
		code              int
		problem, field    string
	}{
		{f.operator, redrives, `{}`, 422, "validation_failed", "body"},
		{f.operator, redrives, `{"reason":""}`, 422, "validation_failed", "body.reason"},
		{f.operator, redrives, `{"reason":"x","filter":{"endpoint_id":"` + foreign + `"}}`, 422, "validation_failed", "body.filter.endpoint_id"},
		{f.operator, redrives, `{"reason":"x","filter":{"status":["dead"],"skip_reason":["loop"]}}`, 422, "validation_failed", "body.filter.skip_reason"},
		{f.operator, redrives, `{"reason":"x","filter":{"from":"2026-01-01T00:00:00Z","from_sequence":1}}`, 422, "validation_failed", "body.filter.from"},
		{f.operator, redrives, `{"reason":"x","filter":{"event_types":["a..b"]}}`, 422, "validation_failed", "body.filter.event_types"},
		{f.operator, redrives, `{"reason":"x","filter":{"status":["lost"]}}`, 422, "validation_failed", "body.filter.status[0]"},
		{f.operator, replays, `{"reason":"x","configuration":"then"}`, 422, "validation_failed", "body.configuration"},
		{f.operator, replays, `{"reason":"x","skip_reason":["loop"]}`, 422, "validation_failed", "body.skip_reason"},
		{f.operator, replays, `{"reason":"x","endpoint_id":"` + f.endpoint + `","status":["dead"]}`, 422, "validation_failed", "body.endpoint_id"},
		{auditor, redrives, `{"reason":"x"}`, 403, "forbidden", ""},
		{receiver, redrives, `{"reason":"x"}`, 403, "forbidden", ""},
		{stranger, redrives, `{"reason":"x"}`, 404, "not_found", ""},
	} {
		got := f.post(c.key, c.target, c.body)
		if got.Code != c.code || got.text("code") != c.problem || c.field != "" && got.text("errors.0.location") != c.field {
			t.Errorf("%s %s: %d %s", c.target, c.body, got.Code, got.Body)
		}
	}
	if f.head() != before {
		t.Error("what was refused was appended")
	}
}

// TestReplays_Approval: another principal approves, and neither made the other's key.
func TestReplays_Approval(t *testing.T) {
	t.Parallel()
	f := newResender(t)
	const acme = "/v1/tenants/acme"
	one, two := f.key("acme", domain.RoleAdmin, `,"principal":"one"`), f.key("acme", domain.RoleAdmin, `,"principal":"two"`)
	ofOne := f.post(one, acme+"/keys", `{"role":"admin","name":"k","principal":"three"}`).want(http.StatusCreated).text("key")
	again := f.key("acme", domain.RoleAdmin, `,"principal":"one"`)
	made := f.post(one, acme+"/replays", `{"reason":"x","approval":true}`).want(http.StatusAccepted)
	path := acme + "/replays/" + made.text("id")
	if made.text("status") != "awaiting_approval" {
		t.Errorf("made %s", made.Body)
	}
	f.runReplays()
	if got := f.get(one, path).want(http.StatusOK); got.text("status") != "awaiting_approval" {
		t.Errorf("it began: %s", got.Body)
	}
	for name, key := range map[string]string{
		"its own": one, "its principal's other key": again, "a key that it made": ofOne, "who made its key": f.operator,
	} {
		if got := f.post(key, path+"/approve", ""); got.Code != http.StatusForbidden || got.text("code") != "own_request" {
			t.Errorf("approved by %s: %d %s", name, got.Code, got.Body)
		}
	}
	f.post(f.key("other", domain.RoleAdmin), path+"/approve", "").problem(http.StatusNotFound, "not_found")
	f.post(two, path+"/approve", `{"reason":"looks right"}`).want(http.StatusOK)
	f.post(two, path+"/approve", "").problem(http.StatusConflict, "wrong_status")
	f.runReplays()
	if got := f.get(one, path).want(http.StatusOK); got.text("status") != "succeeded" {
		t.Errorf("approved, it is %s", got.Body)
	}
	entry := f.get(f.operator, acme+"/log?kind=replay.approved").want(http.StatusOK)
	if entry.text("items.0.reason") != "looks right" {
		t.Errorf("the log says %s", entry.Body)
	}
}
