package openapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// reconciled waits for a reconciliation's end.
func (f *fixture) reconciled(made answer) answer {
	f.t.Helper()
	path := made.want(http.StatusAccepted).Header.Get("Location")
	for range 500 {
		got := f.get(f.operator, path).want(http.StatusOK)
		switch got.text("status") {
		case "queued", "running":
			time.Sleep(10 * time.Millisecond)
		default:
			return got
		}
	}
	f.t.Fatal("the reconciliation doesn't end")
	return answer{}
}

// TestReconciliations: sums of a period for a tenant and an endpoint, and what a receiver's list has apart from them.
func TestReconciliations(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const acme = "/v1/tenants/acme"
	auditor := f.key("acme", domain.RoleAuditor)
	endpoint := f.post(f.operator, acme+"/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	other := f.post(f.operator, acme+"/endpoints", `{"name":"o","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	f.settle()
	var between string
	for n := range 5 {
		e := f.event("acme", fmt.Sprintf("e%d", n))
		id := f.deliver(e, endpoint)
		if n == 2 {
			between = domain.FormatTime(now())
		}
		switch n {
		case 0:
		case 1:
			f.attempt(e, endpoint, id, 1, domain.DeliveryDead)
		default:
			f.attempt(e, endpoint, id, 1, domain.DeliverySucceeded)
		}
	}
	f.deliver(f.event("acme", "elsewhere"), other)
	f.settle()

	whole := f.reconciled(f.post(auditor, acme+"/reconciliations", `{"reason":"quarter"}`))
	if whole.number("sums.events") != 6 || whole.number("sums.routed") != 6 || whole.number("sums.delivered") != 3 || whole.number("sums.pending") != 2 ||
		whole.number("sums.dead") != 1 || whole.number("sums.attempts") != 4 || whole.value("sums.closes") != true || whole.text("reason") != "quarter" {
		t.Errorf("%s", whole.Body)
	}
	part := f.reconciled(f.post(auditor, acme+"/reconciliations", `{"endpoint_id":"`+endpoint+`","from":"`+between+`"}`))
	if part.number("sums.routed") != 2 || part.number("sums.delivered") != 2 || part.value("sums.closes") != true {
		t.Errorf("%s", part.Body)
	}

	list := "at,id\n1,e1\n2,e2\n3,e2\n4,e3\n5,of-somebody\n"
	query := acme + "/reconciliations?endpoint_id=" + endpoint
	made := f.post(auditor, query, list, "Content-Type", "text/csv", "Idempotency-Key", "k")
	compared := f.reconciled(made)
	if compared.number("received.distinct") != 4 || compared.number("received.both") != 2 || compared.number("received.undelivered") != 1 ||
		fmt.Sprint(compared.value("received.repeated.lines")) != "[4]" || fmt.Sprint(compared.value("received.unsent.lines")) != "[6]" ||
		compared.number("received.lacking.count") != 1 || compared.number("list.ids") != 5 || compared.number("list.bytes") != len(list) {
		t.Errorf("%s", compared.Body)
	}
	if items := compared.value("received.lacking.items").([]any); items[0].(map[string]any)["event_id"] != "e4" {
		t.Errorf("%v is lacking", items)
	}
	again := f.post(auditor, query, list, "Content-Type", "text/csv", "Idempotency-Key", "k").want(http.StatusAccepted)
	if again.Header.Get("Idempotency-Replayed") != "true" || again.text("id") != made.text("id") {
		t.Error("a repetition began another one")
	}
	f.post(auditor, query, list+"6,e4\n", "Content-Type", "text/csv", "Idempotency-Key", "k").problem(http.StatusConflict, "idempotency_mismatch")
	lines := f.reconciled(f.post(auditor, query, "\"e4\"\n{\"event_id\":\"e3\"}\n", "Content-Type", "application/x-ndjson"))
	if lines.number("received.both") != 2 {
		t.Errorf("%s", lines.Body)
	}
	items, _ := f.walk(acme + "/reconciliations?limit=1")
	if len(items) != 4 || items[0]["id"] != whole.text("id") || items[3]["status"] != "succeeded" {
		t.Errorf("%v", items)
	}
	// Who asked, why, for which list and with what result is in the log; of the receiver's own ids nothing is.
	log := f.get(auditor, acme+"/log?kind=reconciliation.*").want(http.StatusOK)
	if text := string(log.Body); strings.Contains(text, "of-somebody") || !strings.Contains(text, compared.text("list.sha256")) || !strings.Contains(text, "quarter") ||
		len(log.value("items").([]any)) != 8 {
		t.Errorf("%s", text)
	}
}

func TestReconciliations_Refused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const path = "/v1/tenants/acme/reconciliations"
	endpoint := f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	f.settle()
	before := f.head()
	for _, c := range []struct{ body, location string }{
		{`{"from_sequence":5,"from":"2026-07-01T00:00:00Z"}`, "body.from"},
		{`{"to_sequence":99999}`, "body.to"},
		{`{"from_sequence":3,"to_sequence":1}`, "body.to"},
		{`{"endpoint_id":"` + domain.NewUUID().String() + `"}`, "body.endpoint_id"},
		{`{"what":1}`, "body"},
	} {
		p := f.post(f.operator, path, c.body).problem(http.StatusUnprocessableEntity, "validation_failed")
		if !strings.Contains(string(p.Body), `"`+c.location+`"`) {
			t.Errorf("%s: %s", c.body, p.Body)
		}
	}
	csv := []string{"Content-Type", "text/csv"}
	f.post(f.operator, path, "id\na\n", csv...).problem(http.StatusUnprocessableEntity, "validation_failed")
	secret := f.post(f.operator, path+"?endpoint_id="+endpoint, "id\na\n\"secret\n", csv...).problem(http.StatusUnprocessableEntity, "validation_failed")
	if text := string(secret.Body); strings.Contains(text, "secret") || !strings.Contains(text, "line 3") {
		t.Error(text)
	}
	f.post(f.operator, path, "a", "Content-Type", "text/plain").problem(http.StatusUnsupportedMediaType, "unsupported_media_type")
	f.post(f.operator, path, `{"a":1,"a":2}`).problem(http.StatusUnprocessableEntity, "ambiguous_json")
	f.post(f.key("acme", domain.RoleProducer), path, `{}`).problem(http.StatusForbidden, "forbidden")
	f.post(f.key("other", domain.RoleAuditor), path, `{}`).problem(http.StatusNotFound, "not_found")
	f.get(f.operator, path+"/"+domain.NewUUID().String()).problem(http.StatusNotFound, "not_found")
	// Whatever was refused left no place taken.
	made := f.reconciled(f.post(f.operator, path, `{}`))
	f.get(f.key("other", domain.RoleAuditor), "/v1/tenants/other/reconciliations/"+made.text("id")).problem(http.StatusNotFound, "not_found")
	if f.head() < before+1 {
		t.Error("nothing was appended")
	}
}
