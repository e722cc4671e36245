package openapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestState: the hash in the header is that of the member's exact bytes, which are canonical; it depends on the moment
// alone; and no secret and no hash of a key is in it.
func TestState(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const acme, secret = "/v1/tenants/acme", "top-secret-value-0123456789"
	auditor := f.key("acme", domain.RoleAuditor)
	f.do(f.operator, "PUT", acme+"/event-types/offer.issued", `{"schema":{"type":"object","maximum":12345678901234567890123}}`,
		"Content-Type", "application/json").want(http.StatusCreated)
	endpoint := f.post(f.operator, acme+"/endpoints",
		`{"name":"billing","url":"https://receiver.example/?token=`+secret+`","auth":{"type":"bearer","token":"`+secret+`"}}`).want(http.StatusCreated).text("id")
	f.post(f.operator, acme+"/subscriptions", `{"endpoint_id":"`+endpoint+`","event_types":["*"]}`).want(http.StatusCreated)
	f.deliver(f.event("acme", "a"), endpoint)
	f.settle()

	now := f.get(auditor, acme+"/state").want(http.StatusOK)
	var body struct {
		State    json.RawMessage
		SHA256   string                       `json:"state_sha256"`
		KeyNames map[string]map[string]string `json:"key_names"`
		Sequence int
	}
	now.into(&body)
	sum := sha256.Sum256(body.State)
	if hash := hex.EncodeToString(sum[:]); hash != now.Header.Get("Hooktrail-State-SHA256") || hash != body.SHA256 {
		t.Errorf("%s is the hash, the answer says %s and %s", hash, now.Header.Get("Hooktrail-State-SHA256"), body.SHA256)
	}
	if fmt.Sprint(body.Sequence) != now.Header.Get("Hooktrail-Sequence") || len(body.KeyNames) == 0 {
		t.Errorf("sequence %d, names %v", body.Sequence, body.KeyNames)
	}
	if now.number("state.deliveries.pending") != 1 || now.value("state.tenant.config.id") != "acme" {
		t.Errorf("%s", body.State)
	}
	for _, unwanted := range []string{secret, `"hash"`} {
		if strings.Contains(string(now.Body), unwanted) {
			t.Errorf("%s is in the answer", unwanted)
		}
	}
	for _, names := range body.KeyNames {
		if strings.Contains(string(body.State), `"`+names["principal"]+`"`) {
			t.Errorf("%s is named in the state, which outlives an erasure", names["principal"])
		}
	}
	sequence := now.Header.Get("Hooktrail-Sequence")
	f.post(f.operator, acme+"/endpoints/"+endpoint+"/pause", `{}`).want(http.StatusOK)
	then := f.get(f.operator, acme+"/state?as_of_sequence="+sequence).want(http.StatusOK)
	if then.Header.Get("Hooktrail-State-SHA256") != body.SHA256 || then.Header.Get("Hooktrail-Sequence") != sequence {
		t.Error("the state as of a sequence changed afterwards")
	}
	if later := f.get(f.operator, acme+"/state").want(http.StatusOK); later.Header.Get("Hooktrail-State-SHA256") == body.SHA256 {
		t.Error("a change of configuration left the hash")
	}
	f.get(f.key("acme", domain.RoleProducer), acme+"/state").problem(http.StatusForbidden, "forbidden")
	f.get(f.key("other", domain.RoleAuditor), acme+"/state").problem(http.StatusNotFound, "not_found")
	f.get(f.operator, acme+"/state?as_of_sequence=99999").problem(http.StatusUnprocessableEntity, "as_of_in_future")
	f.get(f.operator, acme+"/state?as_of=2001-01-01T00:00:00Z").problem(http.StatusNotFound, "not_found")
}

// TestStateDiff: each thing that changed is one item, with what differs, who did it and why; never with a secret.
func TestStateDiff(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const acme, secret = "/v1/tenants/acme", "top-secret-value-0123456789"
	admin := f.key("acme", domain.RoleAdmin)
	create := func(name string) string {
		return f.post(admin, acme+"/endpoints", `{"name":"`+name+`","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	}
	stays, changes, goes := create("stays"), create("changes"), create("goes")
	before := f.post(admin, acme+"/endpoints/"+stays+"/pause", `{}`).want(http.StatusOK)
	from, at := before.Header.Get("Hooktrail-Sequence"), domain.FormatTime(now())
	f.do(admin, "PATCH", acme+"/endpoints/"+changes, `{"url":"https://elsewhere.example/","auth":{"type":"bearer","token":"`+secret+`"},"reason":"moved"}`,
		"Content-Type", "application/merge-patch+json").want(http.StatusOK)
	f.do(admin, "PATCH", acme+"/endpoints/"+changes, `{"timeout":"20s"}`, "Content-Type", "application/merge-patch+json").want(http.StatusOK)
	f.do(admin, "DELETE", acme+"/endpoints/"+goes, "").want(http.StatusNoContent)
	comes := create("comes")
	brief := create("brief")
	f.do(admin, "DELETE", acme+"/endpoints/"+brief, "").want(http.StatusNoContent)
	f.post(admin, acme+"/endpoints/"+stays+"/resume", `{}`).want(http.StatusOK)
	f.post(admin, acme+"/endpoints/"+stays+"/pause", `{}`).want(http.StatusOK)
	f.do(admin, "PUT", acme+"/event-types/offer.issued", `{"schema":{"type":"object"}}`, "Content-Type", "application/json").want(http.StatusCreated)
	f.settle()

	type change struct {
		Kind, ID, Name, Change string
		Total                  int `json:"changes_total"`
		Changes                []struct {
			Kind, Reason string
			Actor        struct {
				Principal string
				KeyName   string `json:"key_name"`
			}
		}
		Members []struct {
			Name          string
			Before, After any
		}
	}
	for _, moment := range []string{"from_sequence=" + from, "from=" + at} {
		for _, order := range []string{"asc", "desc"} {
			items, _ := f.walk(acme + "/state/diff?limit=2&order=" + order + "&" + moment)
			raw, _ := json.Marshal(items)
			if strings.Contains(string(raw), secret) {
				t.Error("a secret is shown")
			}
			var list []change
			if err := json.Unmarshal(raw, &list); err != nil {
				t.Fatal(err)
			}
			got := map[string]change{}
			for _, c := range list {
				got[c.ID] = c
			}
			for id, want := range map[string]string{changes: "changed", goes: "deleted", comes: "created", brief: "created_and_deleted", stays: "unchanged"} {
				if got[id].Change != want {
					t.Errorf("%s: %q, want %q", got[id].Name, got[id].Change, want)
				}
			}
			if len(list) != 6 || len(got) != 6 {
				t.Fatalf("%d things changed: %s", len(list), raw)
			}
			c := got[changes]
			if c.Total != 2 || len(c.Changes) != 2 || c.Changes[0].Reason != "moved" || c.Changes[0].Actor.KeyName == "" || c.Changes[0].Actor.Principal == "" {
				t.Errorf("%+v", c)
			}
			var members []string
			for _, m := range c.Members {
				members = append(members, fmt.Sprintf("%s %v", m.Name, m.Before))
			}
			if len(members) != 3 || c.Members[2].Name != "url" || c.Members[2].Before != "https://receiver.example/" || c.Members[2].After != "https://elsewhere.example/" {
				t.Errorf("%v", members)
			}
		}
	}
	diff := acme + "/state/diff?"
	empty, _ := f.walk(diff + "from_sequence=" + from + "&to_sequence=" + from)
	all, _ := f.walk(diff + "from=2001-01-01T00:00:00Z")
	if len(empty) != 0 || len(all) < 8 {
		t.Errorf("%d changes in nothing, %d in all", len(empty), len(all))
	}
	f.get(f.operator, diff).problem(http.StatusUnprocessableEntity, "validation_failed")
	f.get(f.operator, diff+"from_sequence=5&from=2001-01-01T00:00:00Z").problem(http.StatusUnprocessableEntity, "validation_failed")
	f.get(f.operator, diff+"from_sequence=5&to_sequence=4").problem(http.StatusUnprocessableEntity, "validation_failed")
	f.get(f.operator, diff+"from_sequence=5&to_sequence=99999").problem(http.StatusUnprocessableEntity, "as_of_in_future")
	f.get(f.key("acme", domain.RoleProducer), diff+"from_sequence=5").problem(http.StatusForbidden, "forbidden")
}
