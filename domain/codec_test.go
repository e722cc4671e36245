package domain_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
)

func drawUUID(t *rapid.T) domain.UUID {
	if rapid.IntRange(0, 3).Draw(t, "no id") == 0 {
		return domain.UUID{}
	}
	return domain.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
}

func drawTime(t *rapid.T) time.Time {
	if rapid.IntRange(0, 3).Draw(t, "no time") == 0 {
		return time.Time{}
	}
	return time.Unix(rapid.Int64Range(0, 253402300799).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
}

// drawText draws what stands in facts, and what shouldn't: characters that JSON escapes or HTML gives a meaning to.
func drawText(t *rapid.T, label string) string {
	switch rapid.IntRange(0, 3).Draw(t, label) {
	case 0:
		return ""
	case 1:
		return rapid.StringMatching(`[ -~]{0,12}`).Draw(t, label)
	}
	return rapid.StringOf(rapid.SampledFrom([]rune("aZ09 \"\\/<>&\u0000\u0001\t\r\n\u007f\u0085é\u2028\u2029\ufffd😀"))).Draw(t, label)
}

func drawHeaders(t *rapid.T, label string) []domain.Header {
	var headers []domain.Header
	for range rapid.IntRange(0, 3).Draw(t, label) {
		headers = append(headers, domain.Header{Name: drawText(t, "name"), Value: drawText(t, "value")})
	}
	return headers
}

func drawInt(t *rapid.T, label string) int {
	return rapid.SampledFrom([]int{0, 1, -1, 7, 503, 1e9, 1e17, -1e17, 1<<63 - 1, -1 << 63}).Draw(t, label)
}

func drawEvent(t *rapid.T) domain.EventAttributes {
	a := domain.EventAttributes{
		ID: drawText(t, "id"), Source: drawText(t, "source"), Type: domain.EventType(drawText(t, "type")),
		Subject: drawText(t, "subject"), OccurredAt: drawTime(t), SchemaVersion: drawText(t, "version"),
		DataSchema: drawText(t, "schema"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "extensions") {
		if a.Extensions == nil {
			a.Extensions = make(map[string]string)
		}
		a.Extensions[drawText(t, "name")] = drawText(t, "value")
	}
	if rapid.Bool().Draw(t, "test") {
		a.Test = &domain.TestTarget{Endpoint: drawUUID(t)}
	}
	return a
}

func drawRouting(t *rapid.T) *domain.EventRouted {
	f := &domain.EventRouted{Complete: rapid.Bool().Draw(t, "complete")}
	for range rapid.IntRange(0, 3).Draw(t, "deliveries") {
		d := domain.RoutedDelivery{ID: drawUUID(t), Endpoint: drawUUID(t), EndpointVersion: drawInt(t, "version")}
		for range rapid.IntRange(0, 3).Draw(t, "subscriptions") {
			d.Subscriptions = append(d.Subscriptions, domain.SubscriptionMatch{ID: drawUUID(t), Version: drawInt(t, "version")})
		}
		f.Deliveries = append(f.Deliveries, d)
	}
	for range rapid.IntRange(0, 3).Draw(t, "skipped") {
		f.Skipped = append(f.Skipped, domain.Skipped{
			Subscription: drawUUID(t), Version: drawInt(t, "version"), Endpoint: drawUUID(t),
			Reason: domain.SkipReason(drawText(t, "reason")),
		})
	}
	return f
}

func drawStart(t *rapid.T) *domain.AttemptStarted {
	f := &domain.AttemptStarted{
		Number: drawInt(t, "number"), EndpointVersion: drawInt(t, "version"), ProfileDigest: drawText(t, "digest"),
		At: drawTime(t), TimeoutMS: int64(drawInt(t, "timeout")), Node: drawUUID(t),
	}
	for range rapid.IntRange(0, 3).Draw(t, "keys") {
		f.Keys = append(f.Keys, drawUUID(t))
	}
	return f
}

func drawResult(t *rapid.T) domain.AttemptResult {
	r := domain.AttemptResult{
		Number: drawInt(t, "number"), Outcome: domain.AttemptOutcome(drawText(t, "outcome")), StatusCode: drawInt(t, "code"),
		Error: drawText(t, "error"), Detail: drawText(t, "detail"), DurationUS: int64(drawInt(t, "duration")),
		FinishedAt: drawTime(t), Status: domain.DeliveryStatus(drawText(t, "status")), NextAttemptAt: drawTime(t),
		RemoteAddr: drawText(t, "address"),
	}
	if rapid.Bool().Draw(t, "request") {
		r.Request = domain.SentRequest{
			Method: drawText(t, "method"), URL: drawText(t, "url"), Headers: drawHeaders(t, "sent"),
			BodySHA256: drawText(t, "hash"), BodyBytes: drawInt(t, "size"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "signers") {
			r.Request.Keys = append(r.Request.Keys, drawUUID(t))
		}
	}
	if rapid.Bool().Draw(t, "response") {
		r.Response = domain.CapturedAnswer{
			Headers: drawHeaders(t, "received"), BodySHA256: drawText(t, "hash"), BodyBytes: int64(drawInt(t, "size")),
			Truncated: rapid.Bool().Draw(t, "truncated"), Incomplete: rapid.Bool().Draw(t, "incomplete"),
			Masked: rapid.Bool().Draw(t, "masked"),
		}
	}
	if rapid.Bool().Draw(t, "tls") {
		r.TLS = &domain.TLSInfo{Version: drawText(t, "version"), CertificateSHA256: drawText(t, "certificate")}
	}
	if rapid.Bool().Draw(t, "timings") {
		r.Timings = &domain.AttemptTimings{
			DNS: int64(drawInt(t, "dns")), Connect: int64(drawInt(t, "connect")), TLS: int64(drawInt(t, "tls")),
			FirstByte: int64(drawInt(t, "first byte")),
		}
	}
	return r
}

// TestCodec_HandCoded holds the parts with code of their own against encoding/json, in both directions.
func TestCodec_HandCoded(t *testing.T) {
	t.Parallel()
	t.Run("event.appended", rapid.MakeCheck(func(t *rapid.T) {
		a := drawEvent(t)
		fact := &domain.EventAppended{Event: a, Data: []byte(" {}")}
		parts := roundTrip(t, fact)
		sameAsJSON(t, parts[0].Bytes, a)
	}))
	t.Run("event.routed", rapid.MakeCheck(func(t *rapid.T) {
		fact := drawRouting(t)
		sameAsJSON(t, roundTrip(t, fact)[0].Bytes, *fact)
	}))
	t.Run("delivery.attempt_started", rapid.MakeCheck(func(t *rapid.T) {
		fact := drawStart(t)
		sameAsJSON(t, roundTrip(t, fact)[0].Bytes, *fact)
	}))
	t.Run("delivery.attempt_finished", rapid.MakeCheck(func(t *rapid.T) {
		fact := &domain.AttemptFinished{Result: drawResult(t), Body: []byte{0xff}}
		sameAsJSON(t, roundTrip(t, fact)[0].Bytes, fact.Result)
	}))
}

// sameAsJSON: encoding/json reads back the value, and writes JSON that the codec reads as the same.
func sameAsJSON[T any](t *rapid.T, encoded []byte, want T) {
	var got T
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatalf("%s: %v", encoded, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("encoding/json reads %s as %+v, want %+v", encoded, got, want)
	}
	if err := domain.CheckJSON("", encoded); err != nil {
		t.Fatalf("%s: %v", encoded, err)
	}
}

// roundTrip encodes a fact, has it decoded again (from the codec's own JSON and from encoding/json's) and compares.
func roundTrip(t *rapid.T, fact domain.Fact) []domain.Part {
	parts, err := domain.EncodeFact(fact)
	if err != nil {
		t.Fatalf("encode %+v: %v", fact, err)
	}
	again := make([]domain.Part, len(parts))
	for i, p := range parts {
		again[i] = p
		if p.Name != domain.PartData && p.Name != domain.PartBody {
			again[i].Bytes = reflected(t, p.Bytes)
		}
	}
	for _, parts := range [][]domain.Part{parts, again} {
		got, err := domain.DecodeFact(fact.Kind(), fact.Kind().Version(), parts)
		if err != nil {
			t.Fatalf("decode %q: %v", parts, err)
		}
		if g, w := normal(t, got), normal(t, fact); !bytes.Equal(g, w) {
			t.Fatalf("decoded %s, want %s, from %q", g, w, parts)
		}
	}
	return parts
}

// reflected writes a part anew with members in another order and escapes, as another program might.
func reflected(t *rapid.T, b []byte) []byte {
	var value map[string]any
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	again, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// normal is a text in which two facts are equal if they say the same.
func normal(t *rapid.T, f domain.Fact) []byte {
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCodec_EveryKind(t *testing.T) {
	t.Parallel()
	for kind, fact := range examples() {
		parts, err := domain.EncodeFact(fact)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		parts = append(parts, domain.Part{Name: domain.PartReason, Bytes: []byte("because")}) // every kind may have one
		got, err := domain.DecodeFact(kind, kind.Version(), parts)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if !reflect.DeepEqual(got, fact) {
			t.Errorf("%s: decoded %+v, want %+v", kind, got, fact)
		}
	}
}

func TestCodec_NotUTF8(t *testing.T) {
	t.Parallel()
	fact := exampleFinish()
	fact.Result.Response.Headers = []domain.Header{{Name: "X", Value: "caf\xe9 \xff"}}
	parts, err := domain.EncodeFact(fact)
	if err != nil {
		t.Fatal(err)
	}
	got, err := domain.DecodeFact(fact.Kind(), 1, parts)
	if err != nil {
		t.Fatal(err)
	}
	if value := got.(*domain.AttemptFinished).Result.Response.Headers[0].Value; value != "caf\ufffd \ufffd" {
		t.Errorf("came back as %q", value)
	}
}

func TestCodec_TimesAreUTC(t *testing.T) {
	t.Parallel()
	fact := exampleStart()
	fact.At = fact.At.In(time.FixedZone("", 7200))
	parts, err := domain.EncodeFact(fact)
	if err != nil || !strings.Contains(string(parts[0].Bytes), `"at":"2026-07-01T12:00:00.123456Z"`) {
		t.Errorf("encoded %s, %v", parts, err)
	}
	fact.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if parts, err = domain.EncodeFact(fact); err == nil {
		t.Errorf("a year that RFC 3339 can't say was encoded: %s", parts)
	}
}

func TestDecodeFact_Refuses(t *testing.T) {
	t.Parallel()
	good, err := domain.EncodeFact(exampleEvent())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		kind    domain.Kind
		version int
		parts   []domain.Part
	}{
		"an unknown kind":    {"event.dreamt", 1, good},
		"a newer version":    {domain.KindEventAppended, domain.KindEventAppended.Version() + 1, good},
		"version zero":       {domain.KindEventAppended, 0, good},
		"a missing part":     {domain.KindEventAppended, 1, good[1:]},
		"a part of no JSON":  {domain.KindEventAppended, 1, []domain.Part{{Name: domain.PartAttributes, Bytes: []byte("{")}}},
		"a part of nonsense": {domain.KindEventAppended, 1, []domain.Part{{Name: domain.PartAttributes, Bytes: []byte("[]")}}},
	} {
		if fact, err := domain.DecodeFact(test.kind, test.version, test.parts); err == nil || fact != nil {
			t.Errorf("%s: %+v, %v", name, fact, err)
		}
	}
}

// FuzzDecodeFact: whatever stands in a part, the codec reads what encoding/json reads, or refuses what it refuses.
func FuzzDecodeFact(f *testing.F) {
	for _, fact := range hotFacts() {
		parts, err := domain.EncodeFact(fact)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(parts[0].Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		decodesLikeJSON(t, b, domain.KindEventAppended, domain.PartAttributes, func(f domain.Fact) any {
			return f.(*domain.EventAppended).Event
		}, new(domain.EventAttributes))
		decodesLikeJSON(t, b, domain.KindEventRouted, domain.PartRouting, func(f domain.Fact) any {
			return *f.(*domain.EventRouted)
		}, new(domain.EventRouted))
		decodesLikeJSON(t, b, domain.KindAttemptStarted, domain.PartAttempt, func(f domain.Fact) any {
			return *f.(*domain.AttemptStarted)
		}, new(domain.AttemptStarted))
		decodesLikeJSON(t, b, domain.KindAttemptFinished, domain.PartResult, func(f domain.Fact) any {
			return f.(*domain.AttemptFinished).Result
		}, new(domain.AttemptResult))
	})
}

func decodesLikeJSON[T any](t *testing.T, b []byte, kind domain.Kind, part string, value func(domain.Fact) any, want *T) {
	t.Helper()
	wantErr := json.Unmarshal(b, want)
	fact, err := domain.DecodeFact(kind, 1, []domain.Part{{Name: part, Bytes: b}})
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("%s from %q: %v, encoding/json says %v", kind, b, err, wantErr)
	}
	if err == nil && !reflect.DeepEqual(value(fact), *want) {
		t.Fatalf("%s from %q: %+v, encoding/json says %+v", kind, b, value(fact), *want)
	}
}
