package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/openapi/client"
)

// clientStory drives the real binary with the client that is generated from the document, one role at a time, and
// remembers every secret that the server hands out.
type clientStory struct {
	*program
	tenant   string
	secrets  map[string]string // by what they are
	keys     map[string]string // by role
	receiver *received
	refuse   func() bool
}

// as is a client with the key of a role.
func (s *clientStory) as(role string) *client.ClientWithResponses {
	s.t.Helper()
	c, err := client.NewClientWithResponses(
		"http://"+s.address,
		client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+s.keys[role])
			return nil
		}),
	)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// answered is what all answers of the generated client have in common.
type answered interface{ StatusCode() int }

// must demands an answer with this status.
func must[T answered](t testing.TB, status int) func(T, error) T {
	return func(answer T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode() != status {
			t.Fatalf(
				"status %d, want %d: %s",
				answer.StatusCode(),
				status,
				reflect.ValueOf(answer).Elem().FieldByName("Body").Bytes(),
			)
		}
		return answer
	}
}

// TestStory_GeneratedClient does what a tenant's first day holds, and looks at the end whether a secret got out.
func TestStory_GeneratedClient(t *testing.T) {
	t.Parallel()
	s := &clientStory{program: newStandalone(t), tenant: "acme", secrets: map[string]string{}, keys: map[string]string{}}
	s.receiver = newReceiver(t, func(int) int {
		if s.refuse() {
			return http.StatusBadGateway
		}
		return http.StatusOK
	})
	refusing := make(chan bool, 1) // holds whether the receiver refuses
	refusing <- false
	s.refuse = func() bool { now := <-refusing; refusing <- now; return now }
	s.start()
	s.keys["operator"], s.secrets["operator key"] = s.key, s.key

	s.makeTenant()
	endpoint := s.configure()
	s.walkPages(endpoint, s.appendEvents())
	s.readAttempts()
	<-refusing
	refusing <- true
	dead := s.deadLetter()
	<-refusing
	refusing <- false
	s.redrive(dead)
	s.changeEndpoint(endpoint)
	s.askLog(endpoint)
	s.readMetrics()
	s.noSecretGotOut()
}

// makeTenant makes a tenant and a key of each role.
func (s *clientStory) makeTenant() {
	t, ctx, operator := s.t, s.t.Context(), s.as("operator")
	must[*client.CreateTenantResponse](
		t,
		201,
	)(
		operator.CreateTenantWithResponse(ctx, nil, client.TenantRequest{Id: s.tenant}),
	)
	for _, role := range []string{"admin", "producer", "auditor", "privacy"} {
		made := must[*client.CreateKeyResponse](
			t,
			201,
		)(
			operator.CreateKeyWithResponse(ctx, s.tenant, nil, client.KeyRequest{Role: role, Name: role}),
		)
		s.keys[role] = *made.JSON201.Key
	}
	made := must[*client.CreateInstanceKeyResponse](
		t,
		201,
	)(
		operator.CreateInstanceKeyWithResponse(
			ctx,
			nil,
			client.CreateInstanceKeyJSONRequestBody{Role: "monitor", Name: "monitor"},
		),
	)
	s.keys["monitor"] = *made.JSON201.Key
}

// configure makes an endpoint and a subscription, and a key of the endpoint's receiver.
func (s *clientStory) configure() client.Endpoint {
	t, ctx, admin := s.t, s.t.Context(), s.as("admin")
	request := client.EndpointRequest{
		Name: "receiver", Url: s.receiver.server.URL, Retry: &client.RetryRequest{Schedule: &[]string{"100ms"}},
		Headers: &map[string]string{"X-Shared": "header-secret-4fd1b08c"},
	}
	s.secrets["header's value"] = "header-secret-4fd1b08c"
	must[*client.CreateEndpointResponse](t, 403)(s.as("producer").CreateEndpointWithResponse(ctx, s.tenant, nil, request))
	endpoint := must[*client.CreateEndpointResponse](
		t,
		201,
	)(
		admin.CreateEndpointWithResponse(ctx, s.tenant, nil, request),
	).JSON201
	s.secrets["signing key"] = *endpoint.SigningKey
	must[*client.CreateSubscriptionResponse](
		t,
		201,
	)(
		admin.CreateSubscriptionWithResponse(ctx, s.tenant, nil, client.SubscriptionRequest{
			EndpointId: endpoint.Id, EventTypes: []string{"offer.*"},
		}),
	)
	made := must[*client.CreateKeyResponse](
		t,
		201,
	)(
		admin.CreateKeyWithResponse(
			ctx,
			s.tenant,
			nil,
			client.KeyRequest{Role: "receiver", Name: "receiver", EndpointId: &endpoint.Id},
		),
	)
	s.keys["receiver"] = *made.JSON201.Key
	for role, key := range s.keys {
		s.secrets[role+" key"] = key
	}
	return *endpoint
}

// appendEvents appends in every manner, and repeats under an idempotency key and under an event's own id.
// It returns the last event's sequence.
func (s *clientStory) appendEvents() int64 {
	t, ctx, producer := s.t, s.t.Context(), s.as("producer")
	post := func(status int, key, body string) *client.AppendEventResponse {
		params := &client.AppendEventParams{}
		if key != "" {
			params.IdempotencyKey = &key
		}
		return must[*client.AppendEventResponse](
			t,
			status,
		)(
			producer.AppendEventWithBodyWithResponse(ctx, s.tenant, params, "application/json", strings.NewReader(body)),
		)
	}
	const once, other = `{"type":"offer.issued","data":{"n":1}}`, `{"type":"offer.issued","data":{"n":2}}`
	first := post(201, "once", once)
	again := post(201, "once", once)
	if again.HTTPResponse.Header.Get("Idempotency-Replayed") != "true" || !bytes.Equal(first.Body, again.Body) {
		t.Errorf(
			"the repetition got %s (replayed %q), the first %s",
			again.Body,
			again.HTTPResponse.Header.Get("Idempotency-Replayed"),
			first.Body,
		)
	}
	if p := post(409, "once", other).ApplicationproblemJSON409; p.Code != "idempotency_mismatch" {
		t.Errorf("another body under the same key: %s", p.Code)
	}
	const own = `{"id":"order-1","type":"offer.issued","data":{"n":3}}`
	if a, b := post(201, "", own).JSON201, post(200, "", own).JSON200; *a != *b {
		t.Errorf("an event id repeated: %+v, then %+v", a, b)
	}
	post(409, "", strings.Replace(own, `"n":3`, `"n":4`, 1))

	batch := client.EventsRequest{
		Events: []client.EventRequest{{Type: "offer.issued", Data: 5}, {Type: "offer.issued", Data: "six"}},
	}
	made := must[*client.AppendEventsResponse](
		t,
		201,
	)(
		producer.AppendEventsWithResponse(ctx, s.tenant, nil, batch),
	).JSON201.Items
	if len(made) != 2 || made[1].Sequence != made[0].Sequence+1 {
		t.Errorf("a batch got %+v", made)
	}
	lines := other + "\n" + strings.Replace(other, "issued", "withdrawn", 1) + "\n"
	made = must[*client.AppendEventsResponse](
		t,
		201,
	)(
		producer.AppendEventsWithBodyWithResponse(ctx, s.tenant, nil, "application/x-ndjson", strings.NewReader(lines)),
	).JSON201.Items
	return made[len(made)-1].Sequence
}

const storyEvents = 6 // that appendEvents leaves

// walkPages walks lists that reflect the last event by pages of two: each item once, in order.
func (s *clientStory) walkPages(endpoint client.Endpoint, last int64) {
	t, ctx, auditor := s.t, s.t.Context(), s.as("auditor")
	limit := int64(2)
	var sequences []int64
	for params := (client.ListEventsParams{Limit: &limit, MinSequence: &last}); ; {
		page := must[*client.ListEventsResponse](t, 200)(auditor.ListEventsWithResponse(ctx, s.tenant, &params)).JSON200
		for _, e := range page.Items {
			sequences = append(sequences, e.Sequence)
		}
		if params.Cursor = page.Next; page.Next == nil {
			break
		}
	}
	if len(sequences) != storyEvents || !slices.IsSorted(sequences) ||
		len(slices.Compact(slices.Clone(sequences))) != storyEvents {
		t.Errorf("pages of two yield the events %v", sequences)
	}
	eventually(
		t,
		20*time.Second,
		"all is delivered",
		func() bool { return len(s.deliveriesIn("succeeded")) == storyEvents },
	)
	var ids []string
	for params := (client.ListDeliveriesParams{Limit: &limit, EndpointId: &endpoint.Id}); ; {
		page := must[*client.ListDeliveriesResponse](
			t,
			200,
		)(
			auditor.ListDeliveriesWithResponse(ctx, s.tenant, &params),
		).JSON200
		for _, d := range page.Items {
			ids = append(ids, d.Id.String())
		}
		if params.Cursor = page.Next; page.Next == nil {
			break
		}
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != storyEvents {
		t.Errorf("pages of two yield the deliveries %v", ids)
	}
}

func (s *clientStory) deliveriesIn(status string) []client.Delivery {
	s.t.Helper()
	in, limit := client.ListDeliveriesParamsStatus(status), int64(100)
	params := &client.ListDeliveriesParams{Status: &in, Limit: &limit}
	return must[*client.ListDeliveriesResponse](
		s.t,
		200,
	)(
		s.as("auditor").ListDeliveriesWithResponse(s.t.Context(), s.tenant, params),
	).JSON200.Items
}

// readAttempts finds for each delivery the body that the receiver got.
func (s *clientStory) readAttempts() {
	t, ctx, auditor := s.t, s.t.Context(), s.as("auditor")
	got := map[string]string{}
	for _, r := range s.receiver.all() {
		got[r.ID] = r.Body
	}
	for _, d := range s.deliveriesIn("succeeded") {
		attempts := must[*client.ListAttemptsResponse](
			t,
			200,
		)(
			auditor.ListAttemptsWithResponse(ctx, s.tenant, d.Id, nil),
		).JSON200.Items
		if len(attempts) != 1 || attempts[0].Request == nil || *attempts[0].Outcome != "succeeded" {
			t.Fatalf("delivery %s has the attempts %+v", d.Id, attempts)
		}
		body := must[*client.GetAttemptBodyResponse](
			t,
			200,
		)(
			auditor.GetAttemptBodyWithResponse(ctx, s.tenant, d.Id, 1, nil),
		).Body
		sum := sha256.Sum256(body)
		if hex.EncodeToString(sum[:]) != attempts[0].Request.BodySha256 || string(body) != got[d.EventId] {
			t.Errorf("delivery %s: the body is told as %s, was received as %s", d.Id, body, got[d.EventId])
		}
	}
}

// deadLetter appends an event that the receiver refuses to the end of the schedule.
func (s *clientStory) deadLetter() client.Delivery {
	t := s.t
	must[*client.AppendEventResponse](
		t,
		201,
	)(
		s.as("producer").
			AppendEventWithResponse(t.Context(), s.tenant, nil, client.EventRequest{Type: "offer.expired", Data: true}),
	)
	eventually(t, 20*time.Second, "a delivery is dead", func() bool { return len(s.deliveriesIn("dead")) == 1 })
	dead := s.deliveriesIn("dead")[0]
	if dead.Attempts != 2 {
		t.Errorf("a schedule of one gap made %d attempts", dead.Attempts)
	}
	return dead
}

// redrive sets the dead delivery going again, which only a dead one can be.
func (s *clientStory) redrive(dead client.Delivery) {
	t, ctx, admin := s.t, s.t.Context(), s.as("admin")
	redriven, err := admin.RedriveDeliveryWithResponse(
		ctx,
		s.tenant,
		dead.Id,
		nil,
		client.RedriveDeliveryJSONRequestBody{},
	)
	if err != nil || redriven.StatusCode()/100 != 2 {
		t.Fatalf("redrive: %v %s", err, redriven.Body)
	}
	eventually(
		t,
		20*time.Second,
		"the redriven delivery succeeded",
		func() bool { return len(s.deliveriesIn("succeeded")) == storyEvents+1 },
	)
	must[*client.RedriveDeliveryResponse](
		t,
		409,
	)(
		admin.RedriveDeliveryWithResponse(ctx, s.tenant, dead.Id, nil, client.RedriveDeliveryJSONRequestBody{}),
	)
	then := must[*client.GetDeliveryResponse](
		t,
		200,
	)(
		admin.GetDeliveryWithResponse(ctx, s.tenant, dead.Id, &client.GetDeliveryParams{AsOfSequence: &dead.UpdatedSequence}),
	)
	if then.JSON200.Status != "dead" {
		t.Errorf("as of %d the delivery was %s", dead.UpdatedSequence, then.JSON200.Status)
	}
}

// changeEndpoint changes it under its ETag, and reads what it was before by sequence and by time.
func (s *clientStory) changeEndpoint(before client.Endpoint) {
	t, ctx, admin := s.t, s.t.Context(), s.as("admin")
	now := must[*client.GetEndpointResponse](t, 200)(admin.GetEndpointWithResponse(ctx, s.tenant, before.Id, nil))
	tag, name, other := now.HTTPResponse.Header.Get("ETag"), "renamed", "lost"
	patch := func(status int, name *string) *client.UpdateEndpointResponse {
		return must[*client.UpdateEndpointResponse](
			t,
			status,
		)(
			admin.UpdateEndpointWithApplicationMergePatchPlusJSONBodyWithResponse(
				ctx,
				s.tenant,
				before.Id,
				&client.UpdateEndpointParams{IfMatch: &tag},
				client.EndpointPatch{Name: name},
			),
		)
	}
	changed := patch(200, &name).JSON200
	patch(412, &other)
	rotated := must[*client.RotateEndpointKeyResponse](
		t,
		200,
	)(
		admin.RotateEndpointKeyWithResponse(ctx, s.tenant, before.Id, nil, client.RotateEndpointKeyJSONRequestBody{}),
	)
	s.secrets["rotated signing key"] = *rotated.JSON200.SigningKey
	for at, want := range map[string]string{
		fmt.Sprint("sequence ", changed.UpdatedSequence-1): before.Name, fmt.Sprint("sequence ", changed.UpdatedSequence): name,
		"time " + changed.UpdatedAt.Add(-time.Microsecond).Format(time.RFC3339Nano): before.Name, "time " + changed.UpdatedAt.Format(time.RFC3339Nano): name,
	} {
		params := &client.GetEndpointParams{}
		if text, ok := strings.CutPrefix(at, "sequence "); ok {
			params.AsOfSequence = new(int64)
			_, _ = fmt.Sscan(text, params.AsOfSequence)
		} else {
			moment, _ := time.Parse(time.RFC3339Nano, strings.TrimPrefix(at, "time "))
			params.AsOf = &moment
		}
		if got := must[*client.GetEndpointResponse](
			t,
			200,
		)(
			admin.GetEndpointWithResponse(ctx, s.tenant, before.Id, params),
		).JSON200; got.Name != want {
			t.Errorf("as of %s the endpoint is %q, want %q", at, got.Name, want)
		}
	}
}

// askLog asks the log with each filter.
func (s *clientStory) askLog(endpoint client.Endpoint) {
	t, ctx := s.t, s.t.Context()
	ask := func(p client.ListLogParams) []client.Entry {
		limit := int64(1000)
		p.Limit = &limit
		return must[*client.ListLogResponse](t, 200)(s.as("auditor").ListLogWithResponse(ctx, s.tenant, &p)).JSON200.Items
	}
	all := ask(client.ListLogParams{})
	for i, e := range all {
		if e.Sequence != int64(i) {
			t.Fatalf("entry %d of the log has the sequence %d", i, e.Sequence)
		}
	}
	kind, third, sixth := "event.appended", int64(3), int64(6)
	if got := ask(client.ListLogParams{Kind: &kind}); len(got) != storyEvents+1 {
		t.Errorf("%d entries of the kind %s", len(got), kind)
	}
	if got := ask(client.ListLogParams{FromSequence: &third, ToSequence: &sixth}); len(got) != 3 || got[0].Sequence != 3 {
		t.Errorf("from 3 to 6 there are %d entries", len(got))
	}
	var kinds []string
	var stream string
	for _, e := range all {
		if e.Kind == "endpoint.created" {
			stream = e.Stream
		}
	}
	for _, e := range ask(client.ListLogParams{Stream: &stream}) {
		kinds = append(kinds, e.Kind)
	}
	if len(kinds) != 3 || kinds[0] != "endpoint.created" || !strings.Contains(stream, endpoint.Id.String()) {
		t.Errorf("the stream %s has %v", stream, kinds)
	}
	at := all[4].RecordedAt
	for _, e := range ask(client.ListLogParams{From: &at}) {
		if e.RecordedAt.Before(at) {
			t.Errorf("entry %d was recorded before the time asked for", e.Sequence)
		}
	}
	if n := len(ask(client.ListLogParams{From: &at})) + len(ask(client.ListLogParams{To: &at})); n != len(all) {
		t.Errorf("before and from a time there are %d of %d entries", n, len(all))
	}
	last := all[len(all)-1].Actor.Principal // who rotated the key
	for _, e := range ask(client.ListLogParams{Actor: last}) {
		if e.Actor.Principal == nil || *e.Actor.Principal != *last {
			t.Errorf("entry %d, asked for by actor, is of another: %v", e.Sequence, e.Actor.Principal)
		}
	}
}

// readMetrics demands what an operator is promised, with what this story must have left in it.
func (s *clientStory) readMetrics() {
	t, ctx := s.t, s.t.Context()
	must[*client.GetMetricsResponse](t, 403)(s.as("producer").GetMetricsWithResponse(ctx))
	text := string(must[*client.GetMetricsResponse](t, 200)(s.as("monitor").GetMetricsWithResponse(ctx)).Body)
	for _, name := range []string{
		"hooktrail_log_append_duration_seconds_count ", "hooktrail_log_batch_entries_count ", "hooktrail_follower_lag_entries{",
		"hooktrail_dispatch_waiting ", "hooktrail_dispatch_due ", "hooktrail_dispatch_in_flight ", `hooktrail_dispatch_attempts_total{outcome="unknown"} 0`,
		fmt.Sprintf("hooktrail_dispatch_attempts_total{outcome=\"succeeded\"} %d", storyEvents+1),
		`hooktrail_dispatch_attempts_total{outcome="failed"} 2`,
		fmt.Sprintf("hooktrail_dispatch_delivery_latency_seconds_count %d", storyEvents+1),
	} {
		if !strings.Contains(text, "\n"+name) {
			t.Errorf("/metrics has no %q", name)
		}
	}
}

// noSecretGotOut looks for every secret where none may be: in what the process printed, in what it answers to every
// kind of reading, and in its Postgres' log.
func (s *clientStory) noSecretGotOut() {
	t := s.t
	master, err := os.ReadFile(filepath.Join(s.dir, masterKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	var keyset struct {
		Key []struct{ KeyData struct{ Value string } }
	}
	if err := json.Unmarshal(master, &keyset); err != nil || len(keyset.Key) == 0 {
		t.Fatalf("the master key file can't be read: %v", err)
	}
	s.secrets["master key"] = keyset.Key[0].KeyData.Value
	postgresLog, err := os.ReadFile(filepath.Join(s.dir, postgresDir, "server.log"))
	if err != nil || len(postgresLog) == 0 {
		t.Fatalf("Postgres' log: %d bytes, %v", len(postgresLog), err)
	}
	places := map[string]string{"the output": s.output.String(), "Postgres' log": string(postgresLog)}
	for _, path := range s.readings() {
		resp, err := s.program.client().send(t.Context(), "GET", path, nil)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, err = body.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("GET %s: status %d, %v", path, resp.StatusCode, err)
		}
		places["GET "+path] = body.String() + fmt.Sprint(resp.Header)
	}
	for place, text := range places {
		for what, secret := range s.secrets {
			if len(secret) < 16 || strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
				t.Errorf("%s holds the %s", place, what)
			}
		}
	}
}

// readings are the paths of all kinds of reading that have something to show.
func (s *clientStory) readings() []string {
	s.t.Helper()
	base := "/v1/tenants/" + s.tenant
	paths := []string{
		"/metrics",
		"/readyz",
		"/v1/keys?limit=1000",
		"/v1/tenants",
		"/v1/whoami",
		base,
		base + "/keys",
		base + "/events?limit=1000",
		base + "/endpoints",
		base + "/subscriptions",
		base + "/deliveries?limit=1000",
		base + "/log?limit=1000",
	}
	for _, d := range s.deliveriesIn("succeeded") {
		paths = append(
			paths,
			base+"/deliveries/"+d.Id.String(),
			base+"/deliveries/"+d.Id.String()+"/attempts",
			base+"/deliveries/"+d.Id.String()+"/attempts/1/body",
			base+"/events/"+d.EventId,
			base+"/events/"+d.EventId+"/routing",
			base+"/endpoints/"+d.EndpointId.String(),
		)
	}
	return paths
}
