package openapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestSkips lists what was passed over; a receiver is told of nothing but its own endpoint.
func TestSkips(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	one, two := f.endpoint(""), f.endpoint("")
	id := func(endpoint string) domain.UUID {
		id, err := domain.ParseUUID(endpoint[strings.LastIndexByte(endpoint, '/')+1:])
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	subs := []domain.UUID{domain.NewUUID(), domain.NewUUID(), domain.NewUUID()}
	route := func(name string, skipped ...domain.Skipped) domain.Entry {
		event := f.event("acme", name)
		return f.append(domain.Draft{
			Tenant: "acme", Stream: event.Stream, Expected: domain.AnyVersion, Cause: event.Sequence,
			Fact: &domain.EventRouted{Routing: domain.Routing{Complete: true, Skipped: skipped}},
		})[0]
	}
	route("a", domain.Skipped{Subscription: subs[0], Version: 1, Endpoint: id(one), Reason: domain.SkipFilter})
	route("b", domain.Skipped{Subscription: subs[1], Version: 2, Endpoint: id(two), Reason: domain.SkipEndpointDisabled},
		domain.Skipped{Subscription: subs[2], Version: 1, Endpoint: id(one), Reason: domain.SkipSubscriptionPaused})
	route("none")
	third := route("c", domain.Skipped{Subscription: subs[0], Version: 1, Endpoint: id(one), Reason: domain.SkipFilter})
	f.settle()
	const skips = "/v1/tenants/acme/skips"
	receiver, auditor := f.receiverOf(one), f.key("acme", domain.RoleAuditor)
	at := domain.FormatTime(third.RecordedAt)
	shown := func(key, query string) string {
		var page struct {
			Items []struct {
				EventID string `json:"event_id"`
				Skipped []struct {
					Reason string
				}
			}
		}
		f.get(key, skips+query).want(http.StatusOK).into(&page)
		var all []string
		for _, item := range page.Items {
			for _, s := range item.Skipped {
				all = append(all, item.EventID+":"+s.Reason)
			}
		}
		return strings.Join(all, " ")
	}
	for _, c := range []struct{ key, query, want string }{
		{auditor, "", "a:filter_did_not_match b:endpoint_disabled b:subscription_paused c:filter_did_not_match"},
		{auditor, "?order=desc", "c:filter_did_not_match b:endpoint_disabled b:subscription_paused a:filter_did_not_match"},
		{receiver, "", "a:filter_did_not_match b:subscription_paused c:filter_did_not_match"},
		{receiver, "?endpoint_id=" + id(one).String(), "a:filter_did_not_match b:subscription_paused c:filter_did_not_match"},
		{receiver, "?subscription_id=" + subs[1].String(), ""},
		{auditor, "?endpoint_id=" + id(two).String(), "b:endpoint_disabled"},
		{auditor, "?subscription_id=" + subs[0].String(), "a:filter_did_not_match c:filter_did_not_match"},
		{auditor, "?from=" + at, "c:filter_did_not_match"},
		{auditor, "?to=" + at, "a:filter_did_not_match b:endpoint_disabled b:subscription_paused"},
	} {
		if got := shown(c.key, c.query); got != c.want {
			t.Errorf("%s: %q, want %q", c.query, got, c.want)
		}
	}
	var walked []string
	next := ""
	for {
		page := f.get(auditor, skips+"?limit=1"+next).want(http.StatusOK)
		if len(walked) == 0 {
			route("d", domain.Skipped{Subscription: subs[0], Version: 1, Endpoint: id(one), Reason: domain.SkipFilter}) // not of this walk
			f.settle()
		}
		walked = append(walked, page.text("items.0.event_id"))
		cursor, ok := page.value("next").(string)
		if !ok {
			break
		}
		next = "&cursor=" + cursor
	}
	if got := fmt.Sprint(walked); got != "[a b c]" {
		t.Errorf("walked %s", got)
	}
	f.get(receiver, skips+"?endpoint_id="+id(two).String()).problem(http.StatusNotFound, "not_found")
	if first := f.get(auditor, skips+"?limit=1").want(http.StatusOK); first.number("items.0.sequence") <= first.number("items.0.event_sequence") || first.text("items.0.skipped.0.subscription_id") != subs[0].String() {
		t.Errorf("an item: %s", first.Body)
	}
}
