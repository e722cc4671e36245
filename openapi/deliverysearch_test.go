package openapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestDeliverySearch finds deliveries by what no column has, of their last attempt, page by page and as of a moment.
func TestDeliverySearch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const acme = "/v1/tenants/acme"
	endpoint := f.post(f.operator, acme+"/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	f.settle()
	var ids []string
	for n := range 6 {
		e := f.event("acme", fmt.Sprintf("e%d", n))
		id := f.deliver(e, endpoint)
		ids = append(ids, id.String())
		if n > 0 {
			f.attempt(e, endpoint, id, 1, domain.DeliveryRetrying)
		}
		if n > 3 {
			f.attempt(e, endpoint, id, 2, domain.DeliverySucceeded)
		}
	}
	f.settle()
	sequence := f.get(f.operator, acme).Header.Get("Hooktrail-Sequence")
	for query, want := range map[string][]string{
		"status_code=500":                         ids[1:4],
		"status_code=200":                         ids[4:],
		"status_code=404":                         {},
		"status_code=200&status=retrying":         {},
		"event_type=offer.issued":                 ids,
		"event_type=offer.withdrawn":              {},
		"subject=nobody":                          {},
		"min_duration_ms=1.5":                     ids[1:],
		"min_duration_ms=1.6":                     {},
		"max_duration_ms=1.5":                     {},
		"status_code=500&max_duration_ms=2":       ids[1:4],
		"error=connection_refused":                {},
		"status_code=500&endpoint_id=" + endpoint: ids[1:4],
	} {
		for _, more := range []string{"", "&limit=1", "&limit=2&order=desc", "&limit=3&as_of_sequence=" + sequence} {
			items, _ := f.walk(acme + "/deliveries?" + query + more)
			got := []string{}
			for _, item := range items {
				got = append(got, item["id"].(string))
			}
			if strings.Contains(more, "desc") {
				slices.Reverse(got)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s%s: %v, want %v", query, more, got, want)
			}
		}
	}
	f.get(f.operator, acme+"/deliveries?status_code=99").problem(http.StatusUnprocessableEntity, "validation_failed")
}

// TestDeliverySearch_Steps: a search that finds nothing for long answers in bounded steps, each with a cursor.
func TestDeliverySearch_Steps(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const acme = "/v1/tenants/acme"
	endpoint := f.post(f.operator, acme+"/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	many := slices.Repeat([]string{endpoint}, 1000)
	for n := range 6 {
		f.fanOut(f.event("acme", fmt.Sprintf("e%d", n)), domain.NewUUID(), many...)
	}
	last := f.event("acme", "last")
	id := f.deliver(last, endpoint)
	f.settle()
	f.attempt(last, endpoint, id, 1, domain.DeliverySucceeded)
	f.settle()
	first := f.get(f.operator, acme+"/deliveries?status_code=200").want(http.StatusOK)
	if items := first.value("items").([]any); len(items) != 0 || first.value("next") == nil {
		t.Fatalf("the first step: %s", first.Body)
	}
	items, _ := f.walk(acme + "/deliveries?status_code=200")
	if len(items) != 1 || items[0]["id"] != id.String() {
		t.Errorf("%v", items)
	}
}

// TestLists_ArePaged walks the document: whatever answers with items and next takes limit, cursor and order.
func TestLists_ArePaged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Parameters  []struct{ Name, In string }
			Responses   map[string]struct {
				Content map[string]struct {
					Schema struct {
						Ref string `json:"$ref"`
					}
				}
			}
		}
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	f.get("", "/openapi.json").want(http.StatusOK).into(&doc)
	lists := 0
	for path, item := range doc.Paths {
		op, ok := item["get"]
		if !ok {
			continue
		}
		schema := doc.Components.Schemas[strings.TrimPrefix(op.Responses["200"].Content["application/json"].Schema.Ref, "#/components/schemas/")]
		_, items := schema.Properties["items"]
		_, next := schema.Properties["next"]
		if items != strings.HasPrefix(op.OperationID, "list-") && op.OperationID != "diff-state" || items != next {
			t.Errorf("%s: items %v, next %v", op.OperationID, items, next)
		}
		if !items {
			continue
		}
		lists++
		for _, name := range []string{"limit", "cursor", "order"} {
			if !slices.ContainsFunc(op.Parameters, func(p struct{ Name, In string }) bool { return p.Name == name && p.In == "query" }) {
				t.Errorf("%s (%s) doesn't take %s", op.OperationID, path, name)
			}
		}
	}
	if lists < 12 {
		t.Errorf("the document has %d lists", lists)
	}
}

// TestAttempts_Paged pages through attempts both ways, while further ones are made.
func TestAttempts_Paged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const acme = "/v1/tenants/acme"
	endpoint := f.post(f.operator, acme+"/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	f.settle()
	e := f.event("acme", "a")
	id := f.deliver(e, endpoint)
	for n := range 5 {
		f.attempt(e, endpoint, id, n+1, domain.DeliveryRetrying)
	}
	f.settle()
	path := acme + "/deliveries/" + id.String() + "/attempts?limit=2"
	for order, want := range map[string]string{"asc": "[1 2 3 4 5]", "desc": "[5 4 3 2 1]"} {
		items, _ := f.walk(path + "&order=" + order)
		var got []float64
		for _, item := range items {
			got = append(got, item["number"].(float64))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v", order, got)
		}
	}
	first := f.get(f.operator, path).want(http.StatusOK)
	f.attempt(e, endpoint, id, 6, domain.DeliveryRetrying)
	f.settle()
	rest, _ := f.walk(path + "&cursor=" + first.text("next"))
	if len(rest) != 3 {
		t.Errorf("a walk that began with five attempts shows %d more", len(rest))
	}
	f.get(f.operator, acme+"/deliveries/"+domain.NewUUID().String()+"/attempts?limit=2&cursor="+first.text("next")).
		problem(http.StatusBadRequest, "invalid_cursor")
}
