package openapi_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/adapters/reconcile"
	"github.com/hooktrail/hooktrail/adapters/replay"
	"github.com/hooktrail/hooktrail/adapters/schema"
	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/adapters/webhook/guide"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
	"github.com/hooktrail/hooktrail/openapi"
	"github.com/hooktrail/hooktrail/projections"
	"github.com/hooktrail/hooktrail/projections/memorytest"
)

// fixture is the HTTP surface over the log and the views in memory, with the tenants acme and other.
type fixture struct {
	t       testing.TB
	handler http.Handler
	log     *claimLog
	views   *memorytest.Memory
	secrets *secrets
	server  openapi.Server
	logged  *bytes.Buffer // what the server logged; read it when nothing runs

	profiles *webhook.Profiles
	operator string // the operator's key
	ready    error
	asked    func(domain.HandshakeOrder) (domain.HandshakeResult, []byte) // answers handshakes; nil: every receiver passes
	rebuilt  func(domain.SentAttempt) ([]byte, error)                     // builds bodies again; nil: as the sender does
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{t: t, log: newClaimLog(), views: memorytest.New(), secrets: newSecrets(), logged: new(bytes.Buffer)}
	directory := projections.NewDirectory(projections.DirectoryRows{}, 0)
	works := t.TempDir() // before what uses it, so that it is removed behind it
	ctx, stop := context.WithCancel(context.Background())
	var following sync.WaitGroup
	for _, follow := range []func(context.Context, domain.Log) error{f.views.Follow, directory.Follow} {
		following.Go(func() {
			if err := follow(ctx, f.log); err != nil {
				t.Errorf("follow the log: %v", err)
			}
		})
	}
	t.Cleanup(func() { stop(); following.Wait() })
	profiles, err := webhook.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	f.profiles = profiles
	known := func() *webhook.Profiles { return withAdded(profiles, directory) }
	f.server = openapi.Server{
		Log: f.log, Claims: f.log, Views: f.views, Directory: directory, Vault: f.secrets, Fingerprints: f.secrets,
		Profiles: webhook.Offers{Embedded: profiles, Known: known}, Schemas: schema.NewCache(), Guides: guide.Guides{Known: known},
		Previewer: dispatch.Previewer{}, Courier: (*courier)(f), Replays: replay.Previewer{Log: readable{f.log}, State: f.views}, Readiness: f, Node: domain.NewUUID(), Webhooks: webhooks(t),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = io.WriteString(w, "up 1\n")
		}),
		Logger: slog.New(slog.NewTextHandler(f.logged, nil)), Version: "0.1.0",
	}
	reconciler, err := reconcile.New(reconcile.Config{Log: f.log, Views: f.views, Dir: works, Logger: f.server.Logger})
	if err != nil {
		t.Fatal(err)
	}
	f.server.Reconciler = reconciler
	following.Go(func() { _ = reconciler.Run(ctx) })
	f.server.Exports = newExports(f, f.server.Node)
	f.useServer()
	f.begin()
	return f
}

// readable is a log that reads several entries at once.
type readable struct{ domain.Log }

// Entries implements replay.Log.
func (l readable) Entries(ctx context.Context, tenant domain.TenantID, sequences []domain.Sequence) (found []domain.Entry, err error) {
	for _, from := range sequences {
		to := from + 1
		entries, err := domain.Select(ctx, l, domain.Query{Tenant: tenant, From: &from, To: &to, Limit: 1})
		if err != nil {
			return nil, err
		}
		found = append(found, entries...)
	}
	return found, nil
}

// Ready implements openapi.Readiness.
func (f *fixture) Ready(context.Context) error { return f.ready }

// courier plays the courier and the receivers of a fixture.
type courier fixture

// Handshake implements openapi.Courier.
func (c *courier) Handshake(_ context.Context, order domain.HandshakeOrder) (domain.HandshakeResult, []byte) {
	if c.asked != nil {
		return c.asked(order)
	}
	return domain.HandshakeResult{Passed: true, StatusCode: http.StatusOK, FinishedAt: now()}, []byte("challenge")
}

// Body implements openapi.Courier.
func (c *courier) Body(_ context.Context, sent domain.SentAttempt) ([]byte, error) {
	if c.rebuilt != nil {
		return c.rebuilt(sent)
	}
	profile := c.profiles.ByDigest(sent.Started.ProfileDigest)
	fact, ok := sent.Event.Fact.(*domain.EventAppended)
	if profile == nil || !ok {
		return nil, errors.New("no profile or no event")
	}
	return profile.Body(sent.Endpoint.ID.String(), &webhook.Event{
		ID: fact.Event.ID, InternalID: sent.Event.Stream.ID, Sequence: int64(sent.Event.Sequence), Tenant: string(sent.Event.Tenant),
		Source: fact.Event.Source, Type: string(fact.Event.Type), OccurredAt: sent.Event.RecordedAt, Data: fact.Data,
		SchemaVersion: fact.Event.SchemaVersion,
	}, webhook.Attempt{Number: sent.Started.Number, At: sent.Started.At})
}

// useServer makes the handler anew after a change of the server.
func (f *fixture) useServer() {
	f.t.Helper()
	var err error
	if f.handler, err = openapi.NewHandler(f.server); err != nil {
		f.t.Fatal(err)
	}
}

// begin makes the instance's log, an operator's key and two tenants, as a first start does.
func (f *fixture) begin() {
	f.t.Helper()
	f.operator = openapi.NewKey()
	hash := openapi.HashKey(f.operator)
	id := domain.NewUUID()
	f.append(domain.Draft{
		Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()},
		Fact: &domain.TenantCreated{Tenant: domain.TenantConfig{ID: domain.InstanceTenant, Name: "instance"}},
	}, domain.Draft{
		Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamKey, ID: id},
		Fact: &domain.KeyCreated{Key: domain.KeyConfig{
			KeyNames:  domain.KeyNames{Name: "first", Principal: "first"},
			KeyRights: domain.KeyRights{ID: id, Role: domain.RoleOperator, PrincipalID: domain.NewUUID(), Hash: hash[:], Instance: true},
		}},
	})
	for _, tenant := range []string{"acme", "other"} {
		f.post(f.operator, "/v1/tenants", `{"id":"`+tenant+`"}`).want(http.StatusCreated)
	}
}

func (f *fixture) append(drafts ...domain.Draft) []domain.Entry {
	f.t.Helper()
	entries, err := domain.AppendOne(context.Background(), f.log, domain.Group{Drafts: drafts})
	if err != nil {
		f.t.Fatal(err)
	}
	return entries
}

// key makes a key of a role in a tenant; more is what the body has beside role and name.
func (f *fixture) key(tenant string, role domain.Role, more ...string) string {
	f.t.Helper()
	if role == domain.RoleRegistrant {
		return f.registrant(tenant)
	}
	path := "/v1/tenants/" + tenant + "/keys"
	if role == domain.RoleOperator || role == domain.RoleMonitor {
		path = "/v1/keys"
	}
	body := fmt.Sprintf(`{"role":%q,"name":"a %s"%s}`, role, role, strings.Join(more, ""))
	return f.post(f.operator, path, body).want(http.StatusCreated).text("key")
}

// registrant makes a registration's key.
func (f *fixture) registrant(tenant string) string {
	f.t.Helper()
	key, id := openapi.NewKey(), domain.NewUUID()
	hash := openapi.HashKey(key)
	f.append(domain.Draft{
		Tenant: domain.TenantID(tenant), Stream: domain.Stream{Kind: domain.StreamKey, ID: id},
		Fact: &domain.KeyCreated{Key: domain.KeyConfig{
			KeyNames:  domain.KeyNames{Name: "a registration", Principal: "a receiver"},
			KeyRights: domain.KeyRights{ID: id, Role: domain.RoleRegistrant, PrincipalID: domain.NewUUID(), Hash: hash[:], Registration: &domain.Registration{Profiles: []string{"sparkfly"}, EventTypes: []domain.Pattern{"*"}, Quota: 1}},
		}},
	})
	return key
}

// answer is what came back.
type answer struct {
	t      testing.TB
	Code   int
	Header http.Header
	Body   []byte
}

// do sends a request; header is a list of names and values.
func (f *fixture) do(key, method, target, body string, header ...string) answer {
	f.t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), method, target, strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return answer{t: f.t, Code: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
}

func (f *fixture) get(key, target string, header ...string) answer {
	f.t.Helper()
	return f.do(key, http.MethodGet, target, "", header...)
}

func (f *fixture) post(key, target, body string, header ...string) answer {
	f.t.Helper()
	return f.do(key, http.MethodPost, target, body, header...)
}

func (f *fixture) put(key, target, body string, header ...string) answer {
	f.t.Helper()
	return f.do(key, http.MethodPut, target, body, header...)
}

func (f *fixture) patch(key, target, body string, header ...string) answer {
	f.t.Helper()
	return f.do(key, http.MethodPatch, target, body, append([]string{"Content-Type", "application/merge-patch+json"}, header...)...)
}

// want stops the test at another status.
func (a answer) want(code int) answer {
	a.t.Helper()
	if a.Code != code {
		a.t.Fatalf("status %d, want %d: %s", a.Code, code, a.Body)
	}
	return a
}

// problem stops the test at another status or code, and returns the document.
func (a answer) problem(status int, code string) answer {
	a.t.Helper()
	a.want(status)
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Fatalf("content type %q, want a problem document: %s", got, a.Body)
	}
	if got := a.text("code"); got != code {
		a.t.Fatalf("code %q, want %q: %s", got, code, a.Body)
	}
	return a
}

// names stops the test unless the problem names a location.
func (a answer) names(location string) answer {
	a.t.Helper()
	var doc struct {
		Errors []struct{ Location string }
	}
	a.into(&doc)
	for _, e := range doc.Errors {
		if e.Location == location {
			return a
		}
	}
	a.t.Fatalf("names no %s: %s", location, a.Body)
	return a
}

func (a answer) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		a.t.Fatalf("%v: %s", err, a.Body)
	}
}

// value returns a member by its dotted path.
func (a answer) value(path string) any {
	a.t.Helper()
	var v any
	a.into(&v)
	for name := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(at) {
				a.t.Fatalf("no %s in %s", path, a.Body)
			}
			v = at[i]
		default:
			a.t.Fatalf("no %s in %s", path, a.Body)
		}
	}
	return v
}

func (a answer) text(path string) string {
	a.t.Helper()
	s, ok := a.value(path).(string)
	if !ok {
		a.t.Fatalf("%s is no text in %s", path, a.Body)
	}
	return s
}

func (a answer) number(path string) int {
	a.t.Helper()
	n, ok := a.value(path).(float64)
	if !ok {
		a.t.Fatalf("%s is no number in %s", path, a.Body)
	}
	return int(n)
}

// claimLog is the log in memory with a record of its claims, for the look-up that the port doesn't have.
type claimLog struct {
	*logtest.Memory

	mu   sync.Mutex // guards made
	made map[[3]string]domain.ClaimedError
	sums map[[3]string][32]byte
}

func newClaimLog() *claimLog {
	return &claimLog{Memory: logtest.NewMemory(nil), made: make(map[[3]string]domain.ClaimedError), sums: make(map[[3]string][32]byte)}
}

func claimName(c domain.Claim) [3]string { return [3]string{string(c.Tenant), c.Scope, c.Key} }

func (l *claimLog) Append(ctx context.Context, groups ...domain.Group) []domain.Outcome {
	outcomes := l.Memory.Append(ctx, groups...)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, o := range outcomes {
		for _, c := range groups[i].Claims {
			if o.Err == nil {
				first := o.Entries[c.First]
				l.made[claimName(c)] = domain.ClaimedError{Sequence: first.Sequence, Count: c.Count, At: first.RecordedAt}
				l.sums[claimName(c)] = c.Digest
			}
		}
	}
	return outcomes
}

// Claimed implements openapi.Claims.
func (l *claimLog) Claimed(ctx context.Context, claims []domain.Claim) ([]*domain.ClaimedError, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := make([]*domain.ClaimedError, len(claims))
	for i, c := range claims {
		if made, ok := l.made[claimName(c)]; ok {
			made.Claim, made.Same = i, l.sums[claimName(c)] == c.Digest
			to := made.Sequence + 1
			first, err := domain.Select(ctx, l, domain.Query{Tenant: c.Tenant, From: &made.Sequence, To: &to, Limit: 1})
			if err != nil {
				return nil, err
			}
			made.Erased = first[0].Erased
			found[i] = &made
		}
	}
	return found, nil
}

// secrets keeps secrets in memory and remembers every one that it ever saw.
type secrets struct {
	mu   sync.Mutex // guards both
	kept map[domain.UUID]string
	ever []string
}

func newSecrets() *secrets { return &secrets{kept: make(map[domain.UUID]string)} }

// PutSecret implements openapi.Vault.
func (s *secrets) PutSecret(_ context.Context, _ domain.TenantID, id domain.UUID, _ string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[id] = string(value)
	s.ever = append(s.ever, string(value))
	return nil
}

// DeleteSecret implements openapi.Vault.
func (s *secrets) DeleteSecret(_ context.Context, _ domain.TenantID, id domain.UUID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, id)
	return nil
}

// Fingerprint implements openapi.Fingerprints.
func (s *secrets) Fingerprint(_ context.Context, tenant domain.TenantID, value []byte) (string, error) {
	mac := hmac.New(sha256.New, []byte("fingerprints"))
	_, _ = fmt.Fprintf(mac, "%s/%s", tenant, value)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:8]), nil
}

func (s *secrets) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kept)
}

// withAdded are a set's profiles and those that were added.
func withAdded(set *webhook.Profiles, directory *projections.Directory) *webhook.Profiles {
	for _, row := range directory.Profiles() {
		p, err := webhook.ParseProfile(row.Document)
		if err != nil {
			panic(err) // it was parsed before it was added
		}
		if next, err := set.With(p); err == nil {
			set = next
		}
	}
	return set
}

// head is the last position of the whole log: nothing was appended as long as it stays.
func (f *fixture) head() domain.Position {
	f.t.Helper()
	head, err := f.log.Head(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	return head
}

// now is a time of the log's clock that certainly lies between two entries.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
