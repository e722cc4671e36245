package openapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// documented is one operation as the served document has it.
type documented struct {
	ID, Method, Path string
	Roles            []string
	Body             string // the content type of its body, "" for none
	Bodies           []string
	Query, Header    []string // names of its parameters
	Statuses         []string
}

// operations reads the served document.
func operations(t *testing.T, f *fixture) []documented {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string   `json:"operationId"`
			Roles       []string `json:"x-roles"`
			RequestBody struct {
				Content map[string]json.RawMessage
			}
			Parameters []struct{ Name, In string }
			Responses  map[string]json.RawMessage
		}
	}
	f.get("", "/openapi.json").want(http.StatusOK).into(&doc)
	var list []documented
	for path, item := range doc.Paths {
		for method, op := range item {
			d := documented{ID: op.OperationID, Method: strings.ToUpper(method), Path: path, Roles: op.Roles, Statuses: slices.Sorted(maps.Keys(op.Responses))}
			d.Bodies = slices.Sorted(maps.Keys(op.RequestBody.Content))
			for _, contentType := range d.Bodies {
				if d.Body == "" || contentType == "application/json" {
					d.Body = contentType
				}
			}
			for _, p := range op.Parameters {
				switch p.In {
				case "query":
					d.Query = append(d.Query, p.Name)
				case "header":
					d.Header = append(d.Header, p.Name)
				}
			}
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b documented) int { return strings.Compare(a.ID, b.ID) })
	if len(list) < 40 {
		t.Fatalf("the document has %d operations", len(list))
	}
	return list
}

// target fills in a path.
func (d documented) target(tenant string) string {
	return strings.NewReplacer("{tenant}", tenant, "{id}", domain.NewUUID().String(), "{sequence}", "1", "{number}", "1", "{name}", "a.b").Replace(d.Path)
}

func (d documented) call(f *fixture, key, tenant string) answer {
	if d.Body == "" {
		return f.do(key, d.Method, d.target(tenant), "")
	}
	return f.do(key, d.Method, d.target(tenant), `{}`, "Content-Type", d.Body)
}

// keyring is a key of every role in a tenant, and a receiver's endpoint.
func keyring(f *fixture, tenant string) map[string]string {
	endpoint := f.post(f.operator, "/v1/tenants/"+tenant+"/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	keys := make(map[string]string)
	for _, role := range domain.Roles() {
		more := ""
		if role == domain.RoleReceiver {
			more = fmt.Sprintf(`,"endpoint_id":%q`, endpoint)
		}
		keys[string(role)] = f.key(tenant, role, more)
	}
	return keys
}

// TestRoles calls every operation of the document without a key, with every wrong role and with another tenant's keys.
func TestRoles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	acme, other := keyring(f, "acme"), keyring(f, "other")
	before := f.head()
	for _, op := range operations(t, f) {
		if len(op.Roles) == 0 {
			continue // needs no key; TestHealth
		}
		t.Run(op.ID, func(t *testing.T) {
			op.call(f, "", "acme").problem(http.StatusUnauthorized, "unauthorized")
			op.call(f, "ht_nobody", "acme").problem(http.StatusUnauthorized, "unauthorized")
			for role, key := range acme {
				if !slices.Contains(op.Roles, role) {
					op.call(f, key, "acme").problem(http.StatusForbidden, "forbidden")
				}
			}
			if !strings.Contains(op.Path, "{tenant}") {
				return
			}
			// Not the operator's key, which opens every tenant, nor the monitor's, which opens none: it got its 403 above.
			for role, key := range other {
				if role != string(domain.RoleOperator) && role != string(domain.RoleMonitor) {
					op.call(f, key, "acme").problem(http.StatusNotFound, "not_found")
				}
			}
			op.call(f, f.operator, "nowhere").problem(http.StatusNotFound, "not_found")
			op.call(f, acme["admin"], "nowhere").problem(http.StatusNotFound, "not_found")
		})
	}
	if after := f.head(); after != before {
		t.Errorf("%d entries were appended by calls that were refused", after-before)
	}
}

// things is one of each thing in a tenant, by the segment of the path before its id.
type things struct {
	id       map[string]string
	sequence domain.Sequence // of the event
}

// oneOfEach makes a thing of each kind in a tenant, so that ids in paths are of what is really there.
func oneOfEach(f *fixture, tenant string) things {
	f.t.Helper()
	path := "/v1/tenants/" + tenant
	made := things{id: make(map[string]string)}
	add := func(kind, body string) {
		made.id[kind] = f.post(f.operator, path+"/"+kind, body).want(http.StatusCreated).text("id")
	}
	add("keys", `{"role":"auditor","name":"a"}`)
	add("endpoints", `{"name":"e","url":"https://receiver.example/"}`)
	add("registrations", `{"name":"r","event_types":["*"]}`)
	add("subscriptions", `{"endpoint_id":"`+made.id["endpoints"]+`","event_types":["*"]}`)
	made.id["reconciliations"] = f.reconciled(f.post(f.operator, path+"/reconciliations", `{}`)).text("id")
	for _, kind := range []string{"redrives", "replays"} {
		made.id[kind] = f.post(f.operator, path+"/"+kind, `{"reason":"x"}`).want(http.StatusAccepted).text("id")
	}
	made.id["exports"] = f.post(f.operator, path+"/exports", `{"what":"log","format":"csv"}`).want(http.StatusAccepted).text("id")
	event := f.event(tenant, "of-"+tenant)
	delivery := f.deliver(event, made.id["endpoints"])
	f.attempt(event, made.id["endpoints"], delivery, 1, domain.DeliveryDead)
	made.id["events"], made.id["deliveries"], made.sequence = "of-"+tenant, delivery.String(), event.Sequence
	return made
}

// target fills in an operation's path with a thing of the kind that it is about.
func (t things) target(op documented, tenant string) string {
	before, _, _ := strings.Cut(op.Path, "/{id}")
	return strings.NewReplacer("{tenant}", tenant, "{id}", t.id[before[strings.LastIndexByte(before, '/')+1:]],
		"{sequence}", fmt.Sprint(int(t.sequence)), "{number}", "1", "{name}", "a.b").Replace(op.Path)
}

// TestRoles_Foreign calls every operation on one thing with the id of another tenant's, under the caller's own tenant: a
// look-up that forgets the tenant would find it.
func TestRoles_Foreign(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	keys := keyring(f, "other")
	for n := range 20 { // so that acme's sequences lie beyond the end of the other log
		f.event("acme", fmt.Sprint(n))
	}
	f.writeExports()
	acme := oneOfEach(f, "acme")
	f.exported("/v1/tenants/acme/exports/" + acme.id["exports"])
	f.settle()
	before := f.head()
	for _, op := range operations(t, f) {
		if !strings.Contains(op.Path, "/{id}") && !strings.Contains(op.Path, "/{sequence}") {
			continue
		}
		if op.Method == http.MethodGet { // so that what isn't found below is there
			f.get(f.operator, acme.target(op, "acme")).want(http.StatusOK)
		}
		body := map[bool]string{true: `{}`}[op.Body != ""]
		if op.ID == "resend-event" { // which can't do without
			body = `{"endpoint_id":"` + acme.id["endpoints"] + `","reason":"x"}`
		}
		if op.ID == "get-export-content" { // which is logged
			before = f.head()
		}
		for _, role := range op.Roles {
			got := f.do(keys[role], op.Method, acme.target(op, "other"), body, "Content-Type", op.Body)
			if got.Code != http.StatusNotFound || got.text("code") != "not_found" {
				t.Errorf("%s as %s: status %d %s", op.ID, role, got.Code, got.Body)
			}
		}
	}
	if after := f.head(); after != before {
		t.Errorf("%d entries were appended about another tenant's things", after-before)
	}
	f.do(f.operator, http.MethodDelete, "/v1/tenants/acme/keys/"+acme.id["keys"], "").want(http.StatusNoContent)
}

// TestRoles_Document holds the document's words to what is enforced: each operation names its roles, and the operator has all.
func TestRoles_Document(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, op := range operations(t, f) {
		open := strings.HasSuffix(op.Path, "livez") || strings.HasSuffix(op.Path, "readyz")
		if open != (len(op.Roles) == 0) || !open && !slices.Contains(op.Roles, "operator") {
			t.Errorf("%s has roles %v", op.ID, op.Roles)
		}
		if slices.Contains(op.Header, "If-Match") != slices.Contains(op.Statuses, "412") {
			t.Errorf("%s takes %v and answers %v", op.ID, op.Header, op.Statuses)
		}
	}
}

func TestKey_Lifetime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	made := f.post(f.operator, "/v1/tenants/acme/keys", `{"role":"auditor","name":"audit","expires_at":"2999-01-01T00:00:00Z"}`).want(http.StatusCreated)
	key := made.text("key")
	if who := f.get(key, "/v1/whoami").want(http.StatusOK); who.text("role") != "auditor" || who.text("tenant") != "acme" || who.text("key_id") != made.text("id") {
		t.Errorf("whoami %s", who.Body)
	}
	for _, list := range []string{"/v1/tenants/acme/keys", "/v1/tenants/acme/log"} {
		if body := f.get(f.operator, list).want(http.StatusOK).Body; strings.Contains(string(body), key) || strings.Contains(string(body), `"hash"`) {
			t.Errorf("%s shows a key or its hash", list)
		}
	}
	f.do(f.operator, http.MethodDelete, "/v1/tenants/acme/keys/"+made.text("id")+"?reason=left", "").want(http.StatusNoContent)
	f.get(key, "/v1/whoami").problem(http.StatusUnauthorized, "unauthorized")
	f.do(f.operator, http.MethodDelete, "/v1/tenants/acme/keys/"+made.text("id"), "").problem(http.StatusNotFound, "not_found")
	f.post(f.operator, "/v1/tenants/acme/keys", `{"role":"auditor","name":"audit","expires_at":"2001-01-01T00:00:00Z"}`).
		problem(http.StatusUnprocessableEntity, "validation_failed").names("body.expires_at")
}

func TestTenant_Deleted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("other", domain.RoleAdmin)
	f.get(admin, "/v1/whoami").want(http.StatusOK)
	f.do(f.operator, http.MethodDelete, "/v1/tenants/other?reason=left", "").want(http.StatusNoContent)
	f.get(admin, "/v1/whoami").problem(http.StatusUnauthorized, "unauthorized")
	f.get(f.operator, "/v1/tenants/other").problem(http.StatusNotFound, "not_found")
	f.post(f.operator, "/v1/tenants/other/events", `{"type":"a.b","data":1}`).problem(http.StatusNotFound, "not_found")
	f.post(f.operator, "/v1/tenants", `{"id":"other"}`).problem(http.StatusConflict, "tenant_exists")
	if got := ids(f.get(f.operator, "/v1/tenants").want(http.StatusOK)); got != `"acme"` {
		t.Errorf("tenants %s", got)
	}
	f.do(f.operator, http.MethodDelete, "/v1/tenants/acme", "", "If-Match", `"9"`).problem(http.StatusPreconditionFailed, "precondition_failed")
}

func TestKey_Principal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	principal := func(body string) string {
		return f.post(f.operator, "/v1/tenants/acme/keys", body).want(http.StatusCreated).text("principal_id")
	}
	first := principal(`{"role":"admin","name":"one","principal":"jo"}`)
	if second := principal(`{"role":"producer","name":"two","principal":"jo"}`); second != first {
		t.Errorf("two keys of one principal act as %s and %s", first, second)
	}
	if third := principal(`{"role":"producer","name":"jo 2"}`); third == first {
		t.Error("another principal acts as the same")
	}
}

func TestReceiver(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoints := make([]string, 2)
	for i := range endpoints {
		endpoints[i] = f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/?k=v1"}`).want(http.StatusCreated).text("id")
	}
	receiver := f.key("acme", domain.RoleReceiver, `,"endpoint_id":"`+endpoints[0]+`"`)
	own := f.get(receiver, "/v1/tenants/acme/endpoints/"+endpoints[0]).want(http.StatusOK)
	if own.text("url") != "https://receiver.example/?[redacted]" {
		t.Errorf("a receiver sees the URL %s", own.text("url"))
	}
	f.get(receiver, "/v1/tenants/acme/endpoints/"+endpoints[1]).problem(http.StatusNotFound, "not_found")
	f.post(receiver, "/v1/tenants/acme/endpoints/"+endpoints[1]+"/rotate-key", "").problem(http.StatusNotFound, "not_found")
	f.post(receiver, "/v1/tenants/acme/endpoints/"+endpoints[0]+"/rotate-key", "").want(http.StatusOK)
	f.get(receiver, "/v1/tenants/acme/deliveries?endpoint_id="+endpoints[1]).problem(http.StatusNotFound, "not_found")

	sent, kept := f.event("acme", "a"), f.event("acme", "b")
	f.deliver(sent, endpoints[0])
	f.deliver(kept, endpoints[1])
	f.get(receiver, "/v1/tenants/acme/events/a").want(http.StatusOK)
	f.get(receiver, fmt.Sprintf("/v1/tenants/acme/events/by-sequence/%d", sent.Sequence)).want(http.StatusOK)
	f.get(receiver, "/v1/tenants/acme/events/b").problem(http.StatusNotFound, "not_found")
	f.get(receiver, fmt.Sprintf("/v1/tenants/acme/events/by-sequence/%d", kept.Sequence)).problem(http.StatusNotFound, "not_found")
	list := f.get(receiver, "/v1/tenants/acme/events").want(http.StatusOK)
	if items, _ := list.value("items").([]any); len(items) != 1 {
		t.Errorf("a receiver lists %s", list.Body)
	}
	deliveries := f.get(receiver, "/v1/tenants/acme/deliveries").want(http.StatusOK)
	if items, _ := deliveries.value("items").([]any); len(items) != 1 || deliveries.text("items.0.event_id") != "a" {
		t.Errorf("a receiver lists %s", deliveries.Body)
	}
}

func TestProducer_Own(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	one, two := f.key("acme", domain.RoleProducer, `,"principal":"one"`), f.key("acme", domain.RoleProducer, `,"principal":"two"`)
	f.post(one, "/v1/tenants/acme/events", `{"id":"x","type":"a.b","data":1}`).want(http.StatusCreated)
	f.post(two, "/v1/tenants/acme/events", `{"id":"y","type":"a.c","data":2}`).want(http.StatusCreated)
	f.post(two, "/v1/tenants/acme/events", `{"id":"z","type":"a.b","data":3}`).want(http.StatusCreated)
	f.get(one, "/v1/tenants/acme/events/x").want(http.StatusOK)
	f.get(one, "/v1/tenants/acme/events/y").problem(http.StatusNotFound, "not_found")
	f.get(one, "/v1/tenants/acme/events/y/routing").problem(http.StatusNotFound, "not_found")
	for target, want := range map[string]string{
		"": `"y","z"`, "?type=a.b": `"z"`, "?order=desc": `"z","y"`, "?id=x": "", "?id=z": `"z"`, "?subject=nobody": "",
	} {
		if got := ids(f.get(two, "/v1/tenants/acme/events"+target).want(http.StatusOK)); got != want {
			t.Errorf("events%s: %s, want %s", target, got, want)
		}
	}
}

// ids lists the ids of a page's items.
func ids(a answer) string {
	var page struct{ Items []struct{ ID string } }
	a.into(&page)
	quoted := make([]string, len(page.Items))
	for i, item := range page.Items {
		quoted[i] = fmt.Sprintf("%q", item.ID)
	}
	return strings.Join(quoted, ",")
}
