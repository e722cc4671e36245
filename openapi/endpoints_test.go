package openapi_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// TestEndpoint_Patch: a merge patch changes what it names, null brings the default back, and secrets stay or are replaced.
func TestEndpoint_Patch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	made := f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/","auth":{"type":"basic","username":"u","password":"first password"},
		"headers":{"x-one":"1","X-Two":"2"},"rate_limit":{"per_second":5,"burst":10},"timeout":"30s","retry":{"first":"1m","factor":2,"max_elapsed":"72h"},
		"metadata":{"a":"1","b":"2"},"external_id":"x","concurrency":4,"ordered":false}`).want(http.StatusCreated)
	target := "/v1/tenants/acme/endpoints/" + made.text("id")
	etag := `"1"`
	for _, c := range []struct{ patch, want string }{
		{`{"name":"f"}`, `{"name":"f"}`},
		{`{"metadata":{"a":null,"c":"3"}}`, `{"metadata":{"b":"2","c":"3"}}`},
		{`{"metadata":null,"external_id":null,"ordered":null,"concurrency":null,"timeout":null}`, `{"metadata":null,"external_id":null,"ordered":false,"concurrency":32,"timeout":"15s"}`},
		{`{"rate_limit":{"burst":20}}`, `{"rate_limit":{"per_second":5,"burst":20}}`},
		{`{"rate_limit":null}`, `{"rate_limit":null}`},
		{`{"retry":{"jitter":0.2}}`, `{"retry":{"first":"1m0s","factor":2,"max_elapsed":"72h0m0s","jitter":0.2}}`},
		{`{"retry":{"schedule":["1s"],"first":null,"factor":null,"max_elapsed":null,"jitter":null}}`, `{"retry":{"schedule":["1s"]}}`},
		{`{"auth":{"username":"v"}}`, `{"auth":{"type":"basic","username":"v","fingerprint":"*"}}`},
		{`{"auth":{"type":"bearer","token":"second.token"}}`, `{"auth":{"type":"bearer","fingerprint":"*"}}`},
		{`{"auth":null}`, `{"auth":null}`},
		{`{"headers":{"x-ONE":null,"X-Three":"3"}}`, `{"headers":{"X-Two":{"fingerprint":"*"},"X-Three":{"fingerprint":"*"}}}`},
		{`{"url":"http://receiver.example:8080/x"}`, `{"url":"http://receiver.example:8080/x"}`},
	} {
		got := f.patch(f.operator, target, c.patch, "If-Match", etag).want(http.StatusOK)
		var want, have map[string]any
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		got.into(&have)
		for name, value := range want {
			if !reflect.DeepEqual(starred(have[name]), value) {
				t.Errorf("%s: %s is %v, want %v", c.patch, name, have[name], value)
			}
		}
		if etag = got.Header.Get("ETag"); etag != f.get(f.operator, target).want(http.StatusOK).Header.Get("ETag") {
			t.Errorf("ETag %s", etag)
		}
	}
	f.patch(f.operator, "/v1/tenants/acme", `{"https_only":true}`).want(http.StatusOK)
	f.patch(f.operator, target, `{"name":"g"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.url")
	f.do(f.operator, http.MethodDelete, target, "").want(http.StatusNoContent)
	f.get(f.operator, target).problem(http.StatusNotFound, "not_found")
}

// starred stands for fingerprints, which nobody can foretell.
func starred(v any) any {
	if m, ok := v.(map[string]any); ok {
		for name, member := range m {
			m[name] = starred(member)
			if name == "fingerprint" {
				m[name] = "*"
			}
		}
	}
	return v
}

// TestEndpoint_Secrets looks for every secret that was ever kept in all that the server shows, logs and keeps in its log.
func TestEndpoint_Secrets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	made := f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/","auth":{"type":"api_key","name":"X-Api-Key","value":"the api key"},
		"headers":{"X-One":"the header's value"}}`).want(http.StatusCreated)
	target := "/v1/tenants/acme/endpoints/" + made.text("id")
	shown := []string{made.text("signing_key")}
	rotated := f.post(f.operator, target+"/rotate-key", `{"overlap":"1h"}`).want(http.StatusOK)
	shown = append(shown, rotated.text("signing_key"))
	if len(f.secrets.ever) != 4 || shown[0] == shown[1] || rotated.text("keys.0.id") != f.idOf(shown[1]) || rotated.text("keys.1.id") != f.idOf(shown[0]) {
		t.Fatalf("kept %d secrets, rotated %s", len(f.secrets.ever), rotated.Body)
	}
	f.patch(f.operator, target, `{"headers":{"X-One":"another value"}}`).want(http.StatusOK)
	var all strings.Builder
	for _, path := range []string{target, "/v1/tenants/acme/endpoints", "/v1/tenants/acme/log"} {
		all.Write(f.get(f.operator, path).want(http.StatusOK).Body)
	}
	page, err := f.log.Page(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(page)
	if err != nil {
		t.Fatal(err)
	}
	all.Write(text)
	all.WriteString(f.logged.String())
	for _, secret := range f.secrets.ever {
		if strings.Contains(all.String(), secret) {
			t.Errorf("%q is shown or kept", secret)
		}
	}
	f.do(f.operator, http.MethodDelete, target, "").want(http.StatusNoContent)
	if n := f.secrets.count(); n > 1 {
		t.Errorf("%d secrets are kept after the endpoint's deletion", n)
	}
}

func (f *fixture) idOf(secret string) string {
	f.secrets.mu.Lock()
	defer f.secrets.mu.Unlock()
	for id, value := range f.secrets.kept {
		if value == secret {
			return id.String()
		}
	}
	return ""
}

// TestEndpoint_RotateKey of formats that sign only with a secret of the receiver's own, or not at all.
func TestEndpoint_RotateKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sparkbox, firespring := f.endpoint(`,"profile":"sparkbox"`), f.endpoint(`,"profile":"firespring"`)
	before := f.head()
	f.post(f.operator, sparkbox+"/rotate-key", "").problem(http.StatusUnprocessableEntity, "validation_failed").names("body.signing_key")
	f.post(f.operator, firespring+"/rotate-key", "").problem(http.StatusConflict, "profile_has_no_key")
	if f.head() != before || f.secrets.count() != 0 {
		t.Errorf("what was refused is kept: %d secrets", f.secrets.count())
	}
	got := f.post(f.operator, sparkbox+"/rotate-key", `{"signing_key":"a first secret"}`).want(http.StatusOK)
	if got.text("signing_key") != "a first secret" || got.text("keys.0.id") != f.idOf("a first secret") || got.value("keys.0.until") != nil {
		t.Errorf("the first secret: %s", got.Body)
	}
}

func TestEndpoint_Profiles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const target = "/v1/tenants/acme/endpoints"
	got := f.post(f.operator, target, `{"name":"e","url":"https://receiver.example/","profile":"firespring"}`)
	got.want(http.StatusCreated)
	if got.text("timeout") != "30s" || got.value("retry.factor") == nil {
		t.Errorf("the profile's own schedule isn't taken over: %s", got.Body)
	}
	f.post(f.operator, target, `{"name":"e","url":"http://receiver.example/","profile":"stashfin"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.url")
	f.post(f.operator, target, `{"name":"e","url":"https://receiver.example/","profile":"coherent-spark"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.auth")
}

// TestPatch_secretNamedUnchanged: no text that a client sends means that the old secret stays.
func TestPatch_secretNamedUnchanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, test := range map[string]struct{ auth, patch string }{
		"bearer":  {`{"type":"bearer","token":"first"}`, `{"token":"unchanged"}`},
		"basic":   {`{"type":"basic","username":"u","password":"first"}`, `{"password":"unchanged"}`},
		"api_key": {`{"type":"api_key","name":"X-Key","value":"first"}`, `{"value":"unchanged"}`},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"name":"e","url":"https://receiver.example/","headers":{"X-Team":"first"},"auth":` + test.auth + `}`
			made := f.post(f.operator, "/v1/tenants/acme/endpoints", body).want(http.StatusCreated)
			path := "/v1/tenants/acme/endpoints/" + made.text("id")
			before := made.text("auth.fingerprint")
			changed := f.patch(f.operator, path, `{"headers":{"X-Team":"unchanged"},"auth":`+test.patch+`}`).want(http.StatusOK)
			if changed.text("auth.fingerprint") == before {
				t.Error("the old credential was kept")
			}
			if changed.text("headers.X-Team.fingerprint") == made.text("headers.X-Team.fingerprint") {
				t.Error("the old header was kept")
			}
			kept := f.patch(f.operator, path, `{"name":"another","auth":{"type":"`+name+`"}}`).want(http.StatusOK)
			if kept.text("auth.fingerprint") != changed.text("auth.fingerprint") {
				t.Error("a secret that the patch doesn't speak of was changed")
			}
		})
	}
}
