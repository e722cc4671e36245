package openapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// mine is an operator's format.
const mine = `{ "name":"mine","version":1,"description":"Ours.","transport":"http_or_https","content_type":"application/json",
	"envelope":{"what":"${type}","payload":"${data}"},"headers":{"X-Event":"${type}"},
	"signature":{"header":"X-Sum","content":"${body}","encoding":"hex","algorithms":{"hmac-sha256":"sha256="}},
	"key":{"format":"text","generated":true},"success":["2xx"],"retry":"default","honours_retry_after":false }`

func compacted(t *testing.T, text string) string {
	t.Helper()
	var value json.RawMessage
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	compact, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(compact)
}

func TestProfiles_Add(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("acme", domain.RoleAdmin)
	first := f.post(f.operator, "/v1/profiles?reason=pilot", mine, "Idempotency-Key", "k").want(http.StatusCreated)
	if first.text("name") != "mine" || first.value("built_in") != false || first.value("signs") != true || first.text("transport") != "http_or_https" ||
		first.Header.Get("Location") != "/v1/profiles/mine?version=1" || !strings.HasSuffix(string(first.Body), `"document":`+compacted(t, mine)+`}`) {
		t.Errorf("%v %s", first.Header, first.Body)
	}
	before := f.head()
	again := f.post(f.operator, "/v1/profiles?reason=pilot", mine, "Idempotency-Key", "k").want(http.StatusCreated)
	if again.Header.Get("Idempotency-Replayed") != "true" || string(again.Body) != string(first.Body) {
		t.Errorf("repeated: %s", again.Body)
	}
	if same := f.post(f.operator, "/v1/profiles", compacted(t, mine)).want(http.StatusOK); string(same.Body) != string(first.Body) || f.head() != before {
		t.Errorf("the same document: %s", same.Body)
	}
	f.post(f.operator, "/v1/profiles", strings.Replace(mine, "Ours.", "Theirs.", 1)).problem(http.StatusConflict, "profile_exists").names("body/version")
	f.post(f.operator, "/v1/profiles", strings.Replace(mine, `"mine"`, `"sparkfly"`, 1)).problem(http.StatusConflict, "profile_exists").names("body/name")

	old := f.post(admin, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/","profile":"mine"}`).want(http.StatusCreated)
	if old.text("signing_key") == "" {
		t.Errorf("no key is made: %s", old.Body)
	}
	second := strings.NewReplacer(`"version":1`, `"version":2`, "Ours.", "Ours, newer.", `"format":"text"`, `"format":"whsec"`,
		`"retry":"default"`, `"retry":{"schedule":["7s"]},"auth":{"required":true}`).Replace(mine)
	newer := f.post(f.operator, "/v1/profiles", second).want(http.StatusCreated)
	endpoint := "/v1/tenants/acme/endpoints/" + old.text("id")
	f.patch(admin, endpoint, `{"name":"renamed"}`).want(http.StatusOK)
	if got := f.get(admin, endpoint).text("profile_digest"); got != first.text("digest") {
		t.Errorf("the endpoint changed its profile's version: %s", got)
	}
	f.patch(admin, endpoint, `{"retry":{"schedule":["1s"]},"auth":null}`).want(http.StatusOK) // which version 2 wouldn't allow
	if got := f.patch(admin, endpoint, `{"retry":null}`).want(http.StatusOK); got.text("retry.schedule.0") != "5s" {
		t.Errorf("the endpoint takes its defaults from another version: %s", got.Body)
	}
	if got := f.post(admin, endpoint+"/rotate-key", "").want(http.StatusOK).text("signing_key"); strings.HasPrefix(got, "whsec_") {
		t.Error("the endpoint's new key has another version's form")
	}
	made := f.post(admin, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/","profile":"mine","auth":{"type":"bearer","token":"t"}}`).want(http.StatusCreated)
	if got := made.text("profile_digest"); got != newer.text("digest") {
		t.Errorf("a new endpoint has %s", got)
	}
	if got := f.get(admin, "/v1/profiles/mine").want(http.StatusOK).number("version"); got != 2 {
		t.Errorf("the newest version is %d", got)
	}
	if got := f.get(admin, "/v1/profiles/mine?version=1").want(http.StatusOK).text("description"); got != "Ours." {
		t.Errorf("version 1 says %q", got)
	}
	f.get(admin, "/v1/profiles/mine?version=3").problem(http.StatusNotFound, "not_found")
	f.get(admin, "/v1/profiles/none").problem(http.StatusNotFound, "not_found")
}

// TestProfiles_List walks all wire formats in pages, up and down. What comes meanwhile isn't in the walk.
func TestProfiles_List(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.post(f.operator, "/v1/profiles", mine).want(http.StatusCreated)
	want := []string{"cloudevents", "cloudevents", "cloudevents-structured", "cloudevents-structured", "coherent-spark", "firespring", "mine", "sparkbox", "sparkfly", "standard-webhooks", "stashfin"}
	key := f.key("acme", domain.RoleRegistrant)
	for _, order := range []string{"asc", "desc"} {
		var names []string
		target := "/v1/profiles?limit=2&order=" + order
		for n := range 10 {
			var page struct {
				Items []struct{ Name string }
				Next  *string
			}
			f.get(key, target).want(http.StatusOK).into(&page)
			for _, item := range page.Items {
				names = append(names, item.Name)
			}
			if page.Next == nil {
				break
			}
			target = "/v1/profiles?limit=2&order=" + order + "&cursor=" + *page.Next
			if n == 0 {
				f.post(f.operator, "/v1/profiles", strings.Replace(mine, `"mine"`, `"mine-`+order+`"`, 1)).want(http.StatusCreated)
			}
		}
		if order == "desc" {
			want = append(want[:7:7], append([]string{"mine-asc"}, want[7:]...)...)
			slices.Reverse(want)
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: %v, want %v", order, names, want)
		}
	}
}

func TestProfiles_Refused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	before := f.head()
	for _, test := range []struct{ old, new, location string }{
		{`"${type}"}`, `"${tpye}"}`, "body/headers/X-Event"},
		{`{"X-Event":"${type}"}`, `{"Host":"${type}"}`, "body/headers/Host"},
		{`"success":["2xx"]`, `"success":["2xx","twice"]`, "body/success/1"},
		{`"encoding":"hex"`, `"encoding":"octal"`, "body/signature/encoding"},
		{`"retry":"default"`, `"retry":"default","retires":1`, "body/retires"},
		{`"name":"mine",`, ``, "body/name"},
	} {
		document := strings.Replace(mine, test.old, test.new, 1)
		if document == mine {
			t.Fatalf("%s isn't in the document", test.old)
		}
		f.post(f.operator, "/v1/profiles", document).problem(http.StatusUnprocessableEntity, "invalid_profile").names(test.location)
	}
	f.post(f.operator, "/v1/profiles", `{"name":"a","name":"b"}`).problem(http.StatusUnprocessableEntity, "ambiguous_json")
	if f.head() != before {
		t.Error("something was appended")
	}
}

// TestProfiles_AtOnce adds one document, and another of the same name and version, many times at once.
func TestProfiles_AtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var all sync.WaitGroup
	answers := make([]answer, 8)
	for i := range answers {
		all.Go(func() {
			answers[i] = f.post(f.operator, "/v1/profiles", strings.Replace(mine, "Ours.", fmt.Sprint("Ours ", i%2), 1))
		})
	}
	all.Wait()
	created := 0
	for _, got := range answers {
		switch got.Code {
		case http.StatusCreated:
			created++
		case http.StatusOK:
		default:
			got.problem(http.StatusConflict, "profile_exists")
		}
	}
	entries, err := domain.Select(context.Background(), f.log, domain.Query{Tenant: domain.InstanceTenant, Kind: domain.KindProfileAdded, Limit: 10})
	if err != nil || created != 1 || len(entries) != 1 {
		t.Errorf("%d answers say that they created it, the log has %d (%v)", created, len(entries), err)
	}
}

// TestProfile_Get: what is shown is one JSON document to every parser, and its member document is what POST takes.
func TestProfile_Get(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	shown := f.get(f.operator, "/v1/profiles/sparkfly").want(http.StatusOK)
	if err := domain.CheckJSON("profile", shown.Body); err != nil {
		t.Fatalf("%v: %s", err, shown.Body)
	}
	var profile struct{ Document json.RawMessage }
	shown.into(&profile)
	mine := strings.Replace(string(profile.Document), `"sparkfly"`, `"mine"`, 1)
	f.post(f.operator, "/v1/profiles", mine).want(http.StatusCreated)
}

// TestProfiles_Headers: what an operator's own format sets is refused to its endpoints alone.
func TestProfiles_Headers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.post(f.operator, "/v1/profiles", mine).want(http.StatusCreated)
	for _, header := range []string{"X-Event", "X-Sum"} {
		endpoint := func(profile string) answer {
			return f.post(f.operator, "/v1/tenants/acme/endpoints", fmt.Sprintf(
				`{"name":"e","url":"https://receiver.example/","profile":%q,"headers":{%q:"own"}}`, profile, header))
		}
		made := endpoint("standard-webhooks").want(http.StatusCreated)
		f.patch(f.operator, "/v1/tenants/acme/endpoints/"+made.text("id"), `{"headers":{"`+header+`":"other"}}`).want(http.StatusOK)
		endpoint("mine").problem(http.StatusUnprocessableEntity, "validation_failed")
	}
}
