package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// secretStory remembers every secret that anybody had, and where to look for them.
type secretStory struct {
	*program
	mu        sync.Mutex // guards secrets and signing
	secrets   map[string]string
	signing   map[string][]string // the keys in force by the endpoint's name, which its receiver knows
	keys      map[string]string   // API keys by role
	endpoints map[string]string   // ids by name
	answers   map[string][]byte   // that must hold no secret, by what was asked
	expected  int                 // deliveries
}

// odd is a new secret with all that encoders treat in different ways and a header may hold.
func (s *secretStory) odd(what string) string {
	return s.keep(what, `s3cr/+t "`+what+`" <&%41='\>`+rand.Text())
}

// word is a new secret of letters and digits.
func (s *secretStory) word(what string) string { return s.keep(what, rand.Text()) }

func (s *secretStory) keep(what, secret string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[what] = secret
	for _, prefix := range []string{"whsec_", "whsk_"} { // what is encoded in a key is as secret
		if encoded, ok := strings.CutPrefix(secret, prefix); ok {
			raw, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				s.t.Errorf("the %s can't be read", what)
			}
			s.secrets[what+", its bytes"] = string(raw[:min(len(raw), 32)])
		}
	}
	return secret
}

// all is every secret so far.
func (s *secretStory) all() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.secrets)
}

// TestStory_NoSecretAnywhere: whatever endpoints, keys and receivers do, no secret stands in an answer, the output, the
// metrics or the database, in any encoding.
func TestStory_NoSecretAnywhere(t *testing.T) {
	t.Parallel()
	s := &secretStory{
		program: newStandalone(
			t,
		),
		secrets:   map[string]string{},
		signing:   map[string][]string{},
		keys:      map[string]string{},
		endpoints: map[string]string{},
		answers:   map[string][]byte{},
	}
	s.key = s.word("operator key") + s.word("operator key's end")
	s.start()
	s.keys["operator"] = s.key
	s.makeKeys()
	receivers := newEchoes(t, s)
	for _, e := range s.secretEndpoints(receivers) {
		s.create(e)
	}
	s.ask(
		"an event type",
		"PUT",
		"/v1/tenants/default/event-types/AddProduct",
		`{"description":"a product","schema":{"type":"object"}}`,
	)
	s.register(receivers)
	s.sendAndWait()
	s.changeSecrets(receivers)
	s.redriveOne()
	s.probe(receivers)
	s.sendAndWait()
	s.refusals()
	s.ask("deleting", "DELETE", "/v1/tenants/default/endpoints/"+s.endpoints["sparkbox"], "")
	s.checkMasked()
	s.works()
	s.walk()
	tables := s.tables()
	s.readOwnSecrets()
	s.stop()
	s.lookEverywhere(tables)
}

// makeKeys makes a key of every role.
func (s *secretStory) makeKeys() {
	for role, path := range map[string]string{
		"admin": "/v1/tenants/default/keys", "producer": "/v1/tenants/default/keys", "auditor": "/v1/tenants/default/keys",
		"privacy": "/v1/tenants/default/keys", "monitor": "/v1/keys", "second operator": "/v1/keys",
	} {
		s.makeKey(role, path, map[string]any{"role": strings.TrimPrefix(role, "second "), "name": role})
	}
}

// makeKey makes a key and asks for the same again, which must not show it again.
func (s *secretStory) makeKey(role, path string, body map[string]any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	var made struct{ Key string }
	s.once("POST", path, string(text), &made)
	s.keys[role] = s.keep(role+" key", made.Key)
}

// once posts twice under one idempotency key: the first answer may show a secret, the second is to be searched.
func (s *secretStory) once(method, path, body string, out any, header ...string) {
	s.t.Helper()
	idempotency := rand.Text()
	for i := range 2 {
		status, answer := s.request(method, path, body, append(header, "Idempotency-Key", idempotency)...)
		if status/100 != 2 {
			s.t.Fatalf("%s %s: status %d: %s", method, path, status, answer)
		}
		if i > 0 {
			s.answers[method+" "+path+" again "+idempotency] = answer
			return
		}
		if err := json.Unmarshal(answer, out); err != nil {
			s.t.Fatal(err)
		}
	}
}

// ask keeps the answer, which must hold no secret.
func (s *secretStory) ask(what, method, path, body string, header ...string) int {
	s.t.Helper()
	status, answer := s.request(method, path, body, header...)
	s.answers[fmt.Sprintf("%s %d", what, len(s.answers))] = answer
	if status >= 500 {
		s.t.Errorf("%s: status %d: %s", what, status, answer)
	}
	return status
}

// request is one with the operator's key, unless the header says otherwise. The answer's header stands before its body.
func (s *secretStory) request(method, path, body string, header ...string) (int, []byte) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.client().http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// secretEndpoint is an endpoint with all the secrets that it can have.
type secretEndpoint struct {
	name string
	body map[string]any
}

// secretEndpoints covers every kind of key and credential, and every way in which an attempt can end.
func (s *secretStory) secretEndpoints(r *echoes) []secretEndpoint {
	whsec := func(what string) string {
		raw := make([]byte, 24)
		_, _ = rand.Read(raw)
		return s.keep(what, "whsec_"+base64.StdEncoding.EncodeToString(raw))
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	bearer := func(what string) map[string]any { return map[string]any{"type": "bearer", "token": s.word(what)} }
	query := func(what string) string {
		return "?flag&state=" + s.word(what) + "&code=" + s.word(what+"'s code") + "%2F"
	}
	return []secretEndpoint{
		{"standard", map[string]any{
			"url": r.url("/ok/standard") + query("standard query"), "auth": bearer("standard token"),
			"headers": map[string]string{"X-One": s.odd("first header"), "X-Two": s.odd("second header")},
		}},
		{"given", map[string]any{
			"url": r.url("/error/given") + query("given query"), "signing_key": whsec("given signing key"),
			"auth": map[string]any{"type": "basic", "username": "hooktrail", "password": s.odd("password ü")},
		}},
		{
			"ed25519",
			map[string]any{
				"url": r.url(
					"/redirect/ed25519",
				) + query(
					"ed25519 query",
				),
				"signing_key": s.keep("ed25519 signing key", "whsk_"+base64.StdEncoding.EncodeToString(private)),
				"auth":        map[string]any{"type": "api_key", "name": "X-Api-Key", "value": s.odd("API key in a header")},
			},
		},
		{
			"sparkfly",
			map[string]any{
				"url": r.url(
					"/ok/sparkfly",
				) + query(
					"sparkfly query",
				),
				"profile":     "sparkfly",
				"signing_key": s.odd("sparkfly key ключ"),
				"auth": map[string]any{
					"type":  "api_key",
					"in":    "query",
					"name":  "key",
					"value": s.odd("API key in a query ü"),
				},
			},
		},
		{
			"sparkbox",
			map[string]any{"url": r.url("/error/sparkbox"), "profile": "sparkbox", "signing_key": s.odd("sparkbox secret")},
		},
		{
			"coherent",
			map[string]any{
				"url": r.url(
					"/ok/coherent",
				),
				"profile": "coherent-spark",
				"auth":    map[string]any{"type": "api_key", "value": s.odd("coherent key")},
			},
		},
		{
			"bad status line",
			map[string]any{"url": r.raw("HTTP/1.1 %s\r\n\r\n") + query("status query"), "auth": bearer("status token")},
		},
		{
			"bad header line",
			map[string]any{"url": r.raw("HTTP/1.1 200 OK\r\n%s\r\n\r\n") + query("line query"), "auth": bearer("line token")},
		},
		{
			"bad length",
			map[string]any{
				"url":  r.raw("HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n") + query("length query"),
				"auth": bearer("length token"),
			},
		},
		{"refused", map[string]any{"url": "http://127.0.0.1:1/" + query("refused query"), "auth": bearer("refused token")}},
		{"no such host", map[string]any{"url": "https://nowhere.invalid/" + query("nowhere query"), "timeout": "1s"}},
		{
			"no TLS",
			map[string]any{
				"url":  strings.Replace(r.url("/ok/plain"), "http:", "https:", 1) + query("plain query"),
				"auth": bearer("plain token"),
			},
		},
	}
}

// create makes the endpoint with its subscription and a key of its receiver.
func (s *secretStory) create(e secretEndpoint) {
	s.t.Helper()
	e.body["name"], e.body["retry"] = "story of secrets: "+e.name, map[string]any{"schedule": []string{"100ms"}}
	text, err := json.Marshal(e.body)
	if err != nil {
		s.t.Fatal(err)
	}
	var made struct {
		ID         string
		SigningKey string `json:"signing_key"`
	}
	s.once("POST", "/v1/tenants/default/endpoints", string(text), &made)
	s.signs(e.name, made.SigningKey, false)
	s.endpoints[e.name] = made.ID
	s.do(
		"POST",
		"/v1/tenants/default/subscriptions",
		map[string]any{"endpoint_id": made.ID, "event_types": []string{"*"}},
		nil,
	)
	s.makeKey(
		e.name+" receiver",
		"/v1/tenants/default/keys",
		map[string]any{"role": "receiver", "name": e.name, "endpoint_id": made.ID},
	)
}

// signs notes a signing key as it was shown, beside or instead of the endpoint's older ones.
func (s *secretStory) signs(name, key string, overlap bool) {
	if key == "" {
		return
	}
	s.keep(fmt.Sprintf("%s signing key %d", name, len(s.all())), key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !overlap {
		s.signing[name] = nil
	}
	s.signing[name] = append(s.signing[name], key)
}

// register lets a receiver make its endpoint itself.
func (s *secretStory) register(r *echoes) {
	s.t.Helper()
	var registration struct{ Token string }
	s.once("POST", "/v1/tenants/default/registrations", `{"name":"a partner","event_types":["AddProduct"]}`, &registration)
	s.keep("registration's token", registration.Token)
	body := fmt.Sprintf(
		`{"name":%q,"url":%q,"profile":"standard-webhooks","event_types":["AddProduct"],"retry":{"schedule":["100ms"]},"auth":{"type":"bearer","token":%q}}`,
		marker+"registered",
		r.url("/error/registered")+"?state="+s.word("registered query"),
		s.word("registered token"),
	)
	var made struct {
		ID          string
		SigningKey  string `json:"signing_key"`
		ReceiverKey string `json:"receiver_key"`
	}
	s.once("POST", "/v1/tenants/default/endpoints", body, &made, "Authorization", "Bearer "+registration.Token)
	s.signs("registered", made.SigningKey, false)
	s.keep("receiver key of the registration", made.ReceiverKey)
	s.endpoints["registered"] = made.ID
}

// probe asks every receiver for its consent in both ways, under another URL too, and sends it a test.
func (s *secretStory) probe(r *echoes) {
	s.t.Helper()
	for name, id := range s.endpoints {
		path := "/v1/tenants/default/endpoints/" + id
		for _, body := range []string{
			`{"kind":"ownership"}`, `{"kind":"cloudevents"}`,
			fmt.Sprintf(`{"kind":"ownership","url":%q}`, r.url("/ok/"+url.PathEscape(name))+"?state="+s.word("query of a check for "+name)),
		} {
			s.ask("handshake "+name, "POST", path+"/handshake", body)
		}
		if s.ask("test "+name, "POST", path+"/test", `{"type":"AddProduct"}`)/100 == 2 {
			s.expected++
		}
	}
}

// sendAndWait sends an event to all and waits until every delivery has ended.
func (s *secretStory) sendAndWait() {
	s.t.Helper()
	s.expected += len(s.endpoints)
	s.do(
		"POST",
		"/v1/tenants/default/events",
		map[string]any{"type": "AddProduct", "data": map[string]any{"FolderName": s.expected}},
		nil,
	)
	eventually(s.t, 30*time.Second, "every delivery ended", func() bool {
		all := s.deliveries()
		return len(all) == s.expected && !slices.ContainsFunc(all, func(d deliveryRow) bool {
			return d.Status != "succeeded" && d.Status != "dead"
		})
	})
}

// changeSecrets rotates keys, made ones and given ones, and replaces everything else.
func (s *secretStory) changeSecrets(r *echoes) {
	endpoint := func(name string) string { return "/v1/tenants/default/endpoints/" + s.endpoints[name] }
	for name, body := range map[string]string{
		"standard": `{}`, "given": `{"overlap":"0s"}`, "sparkfly": `{"overlap":"1h"}`,
		"sparkbox": `{"signing_key":"` + s.word("sparkbox secret, rotated") + `"}`,
	} {
		var rotated struct {
			SigningKey string `json:"signing_key"`
		}
		s.once("POST", endpoint(name)+"/rotate-key", body, &rotated)
		s.signs(name, rotated.SigningKey, !strings.Contains(body, `"0s"`))
	}
	for name, body := range map[string]map[string]any{
		"standard": {
			"url": r.url("/error/standard") + "?state=" + s.word("standard query, changed"), "auth": map[string]any{"token": s.word("standard token, changed")},
			"headers": map[string]any{"X-One": s.odd("first header, changed"), "X-Two": nil},
		},
		"given":    {"auth": map[string]any{"type": "bearer", "token": s.word("token instead of a password")}},
		"sparkfly": {"auth": map[string]any{"value": s.odd("API key in a query, changed")}},
	} {
		text, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		if status := s.ask("PATCH "+name, "PATCH", endpoint(name), string(text)); status != http.StatusOK {
			s.t.Errorf("PATCH %s: status %d: %s", name, status, s.answers[fmt.Sprintf("PATCH %s %d", name, len(s.answers)-1)])
		}
	}
}

// redriveOne sets a dead delivery going again.
func (s *secretStory) redriveOne() {
	for _, d := range s.deliveries() {
		if d.Status == "dead" {
			s.ask("redrive", "POST", "/v1/tenants/default/deliveries/"+d.ID+"/redrive", `{}`)
			return
		}
	}
	s.t.Error("no delivery is dead")
}

// refusals are requests with secrets in the wrong places. Whoever made the mistake knows the secret; answers and logs
// don't.
func (s *secretStory) refusals() {
	const endpoints = "/v1/tenants/default/endpoints"
	type refusal struct{ what, method, path, body string }
	for _, c := range []refusal{
		{"a wrong whsec", "POST", endpoints, `{"name":"e","url":"https://a.example/","signing_key":"whsec_` + s.word("wrong whsec") + `!"}`},
		{"a wrong whsk", "POST", endpoints, `{"name":"e","url":"https://a.example/","signing_key":"whsk_` + s.word("wrong whsk") + `"}`},
		{"a header with a line break", "POST", endpoints, `{"name":"e","url":"https://a.example/","headers":{"X-A":"` + s.word("wrong header") + `\n"}}`},
		{"a header in a name", "POST", endpoints, `{"name":"e","url":"https://a.example/","headers":{"Host":"` + s.word("host header") + `"}}`},
		{"a password in a URL", "POST", endpoints, `{"name":"e","url":"https://u:` + s.word("password in a URL") + `@a.example/"}`},
		{"a broken URL", "POST", endpoints, `{"name":"e","url":"https://a.example:x/?t=` + s.word("query of a broken URL") + `"}`},
		{"a key beside a key", "POST", endpoints, `{"name":"e","profile":"coherent-spark","url":"https://a.example/?api_key=` + s.word("key in the URL") + `","auth":{"type":"api_key","in":"query","value":"x"}}`},
		{"a token of another type", "POST", endpoints, `{"name":"e","url":"https://a.example/","auth":{"type":"basic","token":"` + s.word("token of another type") + `"}}`},
		{"a key for a format without", "POST", endpoints, `{"name":"e","url":"https://a.example/","profile":"firespring","signing_key":"` + s.word("key of firespring") + `"}`},
		{"an unknown member", "POST", endpoints, `{"name":"e","url":"https://a.example/","secret":"` + s.word("unknown member") + `"}`},
		{"broken JSON", "POST", endpoints, `{"name":"e","signing_key":"` + s.word("broken JSON")},
		{"a patch of another type", "PATCH", endpoints + "/" + s.endpoints["standard"], `{"auth":"` + s.word("auth as a text") + `"}`},
		{"a rotation of nothing", "POST", endpoints + "/" + s.endpoints["coherent"] + "/rotate-key", `{"signing_key":"` + s.word("coherent signing key") + `"}`},
		{"a key in a query", "GET", "/v1/whoami?access_token=" + s.word("access token in a query"), ""},
		{"a key in a path", "GET", "/v1/tenants/default/keys/" + s.word("key in a path"), ""},
	} {
		if status := s.ask(c.what, c.method, c.path, c.body); status < 400 {
			s.t.Errorf("%s is answered with %d", c.what, status)
		}
	}
	if status := s.ask(
		"an unknown key",
		"GET",
		"/v1/whoami",
		"",
		"Authorization",
		"Bearer "+s.word("unknown API key"),
	); status != http.StatusUnauthorized {
		s.t.Errorf("an unknown key is answered with %d", status)
	}
	s.ask(
		"a password as a key",
		"GET",
		"/v1/whoami",
		"",
		"Authorization",
		"Basic "+base64.StdEncoding.EncodeToString([]byte("u:"+s.word("password as a key"))),
	)
}

// readOwnSecrets adds what the program keeps for itself in files.
func (s *secretStory) readOwnSecrets() {
	for _, name := range []string{"postgres", serverRole} {
		text, err := os.ReadFile(filepath.Join(s.dir, postgresDir, name+".password"))
		if err != nil {
			s.t.Fatal(err)
		}
		s.keep("password of the role "+name, strings.TrimSpace(string(text)))
	}
	text, err := os.ReadFile(filepath.Join(s.dir, masterKeyFile))
	if err != nil {
		s.t.Fatal(err)
	}
	var keyset struct {
		Key []struct{ KeyData struct{ Value []byte } }
	}
	if err := json.Unmarshal(text, &keyset); err != nil || len(keyset.Key) == 0 {
		s.t.Fatalf("the master key file can't be read: %v", err)
	}
	value := keyset.Key[0].KeyData.Value
	s.keep("master key", string(value[len(value)-32:]))
}
