package domain_test

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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

// drawText draws what facts contain, and what they shouldn't: characters that JSON escapes or HTML gives a meaning to.
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
		h := domain.Header{Name: drawText(t, "name"), Value: drawText(t, "value")}
		if rapid.IntRange(0, 3).Draw(t, "not UTF-8") == 0 {
			h.Value += string(rapid.SliceOfN(rapid.ByteRange(0x80, 0xff), 1, 4).Draw(t, "bytes"))
		}
		headers = append(headers, h)
	}
	return headers
}

func drawInt(t *rapid.T, label string) int {
	return rapid.SampledFrom([]int{0, 1, -1, 7, 503, 1e9, 1e17, -1e17, 1<<63 - 1, -1 << 63}).Draw(t, label)
}

func drawEvent(t *rapid.T) *domain.EventAppended {
	f := &domain.EventAppended{Data: []byte(" {}"), Routing: drawRouting(t)}
	f.Event.EventClass = domain.EventClass{
		Type: domain.EventType(drawText(t, "type")), SchemaVersion: drawText(t, "version"), About: drawUUID(t),
	}
	f.Event.EventIdentity = domain.EventIdentity{
		ID: drawText(t, "id"), Source: drawText(t, "source"), Subject: drawText(t, "subject"), OccurredAt: drawTime(t),
		DataSchema: drawText(t, "schema"), DataContentType: drawText(t, "media type"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "extensions") {
		if f.Event.Extensions == nil {
			f.Event.Extensions = make(map[string]domain.Extension)
		}
		f.Event.Extensions[drawText(t, "name")] = drawExtension(t)
	}
	if rapid.Bool().Draw(t, "test") {
		f.Event.Test = &domain.TestTarget{Endpoint: drawUUID(t)}
	}
	f.Verdicts.Skipped = drawSkipped(t)
	return f
}

func drawExtension(t *rapid.T) domain.Extension {
	value := []byte(rapid.SampledFrom([]string{"true", "false", "0", "-2147483648", "7"}).Draw(t, "typed"))
	if rapid.Bool().Draw(t, "text") {
		return domain.ExtensionText(drawText(t, "value"))
	}
	x, err := domain.ParseExtension("", value)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func drawRouting(t *rapid.T) domain.Routing {
	r := domain.Routing{
		Configuration: domain.Sequence(drawInt(t, "configuration")), Complete: rapid.Bool().Draw(t, "complete"),
		Retention: drawText(t, "retention"), Skipped: drawSkipped(t),
	}
	for range rapid.IntRange(0, 3).Draw(t, "deliveries") {
		d := domain.RoutedDelivery{ID: drawUUID(t), Endpoint: drawUUID(t), EndpointVersion: drawInt(t, "version")}
		for range rapid.IntRange(0, 3).Draw(t, "subscriptions") {
			d.Subscriptions = append(d.Subscriptions, domain.SubscriptionMatch{ID: drawUUID(t), Version: drawInt(t, "version")})
		}
		if rapid.Bool().Draw(t, "started") {
			d.First = drawStart(t)
		}
		r.Deliveries = append(r.Deliveries, d)
	}
	return r
}

func drawSkipped(t *rapid.T) (skipped []domain.Skipped) {
	for range rapid.IntRange(0, 3).Draw(t, "skipped") {
		skipped = append(skipped, domain.Skipped{
			Subscription: drawUUID(t), Version: drawInt(t, "version"), Endpoint: drawUUID(t),
			Reason: domain.SkipReason(drawText(t, "reason")),
		})
	}
	return skipped
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

func drawFinish(t *rapid.T) *domain.AttemptFinished {
	f := &domain.AttemptFinished{Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body")}
	r := &f.Result
	r.AttemptEnd = domain.AttemptEnd{
		Number: drawInt(t, "number"), Outcome: domain.AttemptOutcome(drawText(t, "outcome")), StatusCode: drawInt(t, "code"),
		Error: drawText(t, "error"), DurationUS: int64(drawInt(t, "duration")), FinishedAt: drawTime(t),
		Status: domain.DeliveryStatus(drawText(t, "status")), NextAttemptAt: drawTime(t), RemoteAddr: drawText(t, "address"),
		RequestBytes: drawInt(t, "sent"), AnswerBytes: int64(drawInt(t, "received")),
	}
	for range rapid.IntRange(0, 2).Draw(t, "signers") {
		r.Keys = append(r.Keys, drawUUID(t))
	}
	if rapid.Bool().Draw(t, "tls") {
		r.TLS = &domain.TLSInfo{Version: drawText(t, "version"), CertificateSHA256: drawText(t, "certificate")}
	}
	if rapid.Bool().Draw(t, "timings") {
		r.Timings = &domain.AttemptTimings{DNS: int64(drawInt(t, "dns")), FirstByte: int64(drawInt(t, "first byte"))}
	}
	r.Detail = drawText(t, "detail")
	if rapid.Bool().Draw(t, "request") {
		r.Request = domain.SentRequest{
			Method: drawText(t, "method"), URL: drawText(t, "url"), Headers: drawHeaders(t, "sent"), BodySHA256: drawText(t, "hash"),
		}
	}
	if rapid.Bool().Draw(t, "response") {
		r.Response = domain.CapturedAnswer{
			Headers: drawHeaders(t, "received"), BodySHA256: drawText(t, "hash"), Truncated: rapid.Bool().Draw(t, "truncated"),
			Incomplete: rapid.Bool().Draw(t, "incomplete"), Masked: rapid.Bool().Draw(t, "masked"),
		}
	}
	return f
}

func drawFact(t *rapid.T) domain.Fact {
	switch rapid.IntRange(0, 3).Draw(t, "fact") {
	case 0:
		return drawEvent(t)
	case 1:
		return &domain.EventRouted{Routing: drawRouting(t), Verdicts: domain.Verdicts{Skipped: drawSkipped(t)}}
	case 2:
		return drawStart(t)
	}
	return drawFinish(t)
}

// readableText compares texts as the codec keeps them: each byte that isn't UTF-8 becomes U+FFFD.
var readableText = cmp.Comparer(func(x, y string) bool { return string([]rune(x)) == string([]rune(y)) })

// withoutPersonal returns the fact as it is decoded once its subject is erased.
func withoutPersonal(f domain.Fact) domain.Fact {
	switch f := f.(type) {
	case *domain.EventAppended:
		return &domain.EventAppended{Event: domain.EventAttributes{EventClass: f.Event.EventClass}, Routing: f.Routing}
	case *domain.EventRouted:
		return &domain.EventRouted{Routing: f.Routing}
	case *domain.AttemptFinished:
		return &domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: f.Result.AttemptEnd}}
	}
	return f
}

// TestCodec_RoundTrip: whatever a fact says comes back, and without the subject's parts nothing else is lost.
func TestCodec_RoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		fact := drawFact(t)
		parts, err := domain.EncodeFact(fact)
		if err != nil {
			t.Fatalf("encode %+v: %v", fact, err)
		}
		got, err := domain.DecodeFact(fact.Kind(), fact.Kind().Version(), parts, false)
		if err != nil {
			t.Fatalf("decode %q: %v", parts, err)
		}
		if diff := cmp.Diff(fact, got, cmpopts.EquateEmpty(), readableText); diff != "" {
			t.Fatalf("decoded (-want +got):\n%s", diff)
		}
		var tenants []domain.Part
		for _, p := range parts {
			if !p.Personal() {
				tenants = append(tenants, p)
			}
		}
		erased, err := domain.DecodeFact(fact.Kind(), fact.Kind().Version(), tenants, true)
		if err != nil {
			t.Fatalf("decode without the subject's parts: %v", err)
		}
		if diff := cmp.Diff(withoutPersonal(fact), erased, cmpopts.EquateEmpty(), readableText); diff != "" {
			t.Fatalf("decoded after an erasure (-want +got):\n%s", diff)
		}
		again, err := domain.EncodeFact(erased)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range again {
			if i := slices.IndexFunc(tenants, func(q domain.Part) bool { return q.Name == p.Name }); i >= 0 && !bytes.Equal(p.Bytes, tenants[i].Bytes) {
				t.Fatalf("part %s of an erased fact is %s, was %s", p.Name, p.Bytes, tenants[i].Bytes)
			}
		}
	})
}

func TestCodec_EveryKind(t *testing.T) {
	t.Parallel()
	for kind, fact := range examples() {
		parts, err := domain.EncodeFact(fact)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		parts = append(parts, domain.Part{Name: domain.PartReason, Bytes: []byte("because")}) // every kind may have one
		got, err := domain.DecodeFact(kind, kind.Version(), parts, false)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if !reflect.DeepEqual(got, fact) {
			t.Errorf("%s: decoded %+v, want %+v", kind, got, fact)
		}
	}
}

// TestMissingPart: each part of each kind is either optional or missed, by the decoder and by who checks a leaf alike.
func TestMissingPart(t *testing.T) {
	t.Parallel()
	for kind, fact := range examples() {
		parts, err := domain.EncodeFact(fact)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		for i, left := range parts {
			others := slices.Delete(slices.Clone(parts), i, i+1)
			names := make([]string, len(others))
			for n, p := range others {
				names[n] = p.Name
			}
			_, err := domain.DecodeFact(kind, kind.Version(), others, false)
			missing := domain.MissingPart(kind, kind.Version(), names)
			switch {
			case err == nil && missing != "":
				t.Errorf("%s: a leaf must commit to %s, which facts are decoded without", kind, missing)
			case err != nil && missing != left.Name:
				t.Errorf("%s without %s: %v, but the leaf misses %q", kind, left.Name, err, missing)
			case err != nil && !strings.Contains(err.Error(), left.Name):
				t.Errorf("%s without %s: %v doesn't name it", kind, left.Name, err)
			}
		}
	}
	if m := domain.MissingPart("event.dreamt", 1, nil); m != "" {
		t.Errorf("of an unknown kind %q is missing", m)
	}
}

// TestDecodeFact_Mandatory: an entry without a mandatory part is refused by the part's name. An erasure excuses only the
// subject's parts; optional parts may always be absent.
func TestDecodeFact_Mandatory(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fact   domain.Fact
		part   string
		erased bool
		absent bool // whether the fact may lack the part
	}{
		{exampleEvent(), domain.PartClass, false, false},
		{exampleEvent(), domain.PartClass, true, false},
		{exampleEvent(), domain.PartRouting, true, false},
		{exampleEvent(), domain.PartIdentity, false, false},
		{exampleEvent(), domain.PartIdentity, true, true},
		{exampleEvent(), domain.PartVerdicts, false, true},
		{exampleFinish(), domain.PartOutcome, true, false},
		{exampleFinish(), domain.PartExchange, false, true},
		{exampleFinish(), domain.PartAnswer, false, true},
		{&domain.KeyCreated{Key: exampleKey()}, domain.PartConfig, true, false},
		{&domain.KeyCreated{Key: exampleKey()}, domain.PartNames, true, true},
		{exampleHandshakeEnd(), domain.PartOutcome, true, false},
		{exampleHandshakeEnd(), domain.PartReply, false, true},
	} {
		parts, err := domain.EncodeFact(test.fact)
		if err != nil {
			t.Fatal(err)
		}
		all := len(parts)
		parts = slices.DeleteFunc(parts, func(p domain.Part) bool { return p.Name == test.part })
		if len(parts) != all-1 {
			t.Fatalf("%s has no part %s", test.fact.Kind(), test.part)
		}
		_, err = domain.DecodeFact(test.fact.Kind(), 1, parts, test.erased)
		if test.absent && err != nil {
			t.Errorf("%s without %s, erased %v: %v", test.fact.Kind(), test.part, test.erased, err)
		}
		if !test.absent && (err == nil || !strings.Contains(err.Error(), "part "+test.part+" ")) {
			t.Errorf("%s without %s, erased %v: %v doesn't name it", test.fact.Kind(), test.part, test.erased, err)
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
	got, err := domain.DecodeFact(fact.Kind(), 1, parts, false)
	if err != nil {
		t.Fatal(err)
	}
	if value := got.(*domain.AttemptFinished).Result.Response.Headers[0].Value; value != "caf\ufffd \ufffd" {
		t.Errorf("came back as %q", value)
	}
}

func TestDecodeFact_Refuses(t *testing.T) {
	t.Parallel()
	good, err := domain.EncodeFact(exampleEvent())
	if err != nil {
		t.Fatal(err)
	}
	class := func(text string) []domain.Part {
		return append(slices.Clone(good[1:]), domain.Part{Name: domain.PartClass, Bytes: []byte(text)})
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
		"a part of no JSON":  {domain.KindEventAppended, 1, class("{")},
		"a part of nonsense": {domain.KindEventAppended, 1, class("[]")},
		"a duplicate member": {domain.KindEventAppended, 1, class(`{"type":"a","type":"b"}`)},
	} {
		if fact, err := domain.DecodeFact(test.kind, test.version, test.parts, false); err == nil || fact != nil {
			t.Errorf("%s: %+v, %v", name, fact, err)
		}
	}
}

// FuzzDecodeFact: whatever a part holds, it is refused or comes back the same.
func FuzzDecodeFact(f *testing.F) {
	names := []string{domain.PartClass, domain.PartRouting, domain.PartIntent, domain.PartOutcome}
	for _, fact := range hotFacts() {
		parts, err := domain.EncodeFact(fact)
		if err != nil {
			f.Fatal(err)
		}
		for _, p := range parts {
			f.Add(p.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for i, kind := range []domain.Kind{
			domain.KindEventAppended, domain.KindEventRouted, domain.KindAttemptStarted, domain.KindAttemptFinished,
		} {
			parts := []domain.Part{
				{Name: names[i], Bytes: b}, {Name: domain.PartClass, Bytes: []byte("{}")}, {Name: domain.PartRouting, Bytes: []byte("{}")},
			}
			fact, err := domain.DecodeFact(kind, 1, parts, true)
			if err != nil {
				continue
			}
			encoded, err := domain.EncodeFact(fact)
			if err != nil {
				t.Fatalf("%s from %q: %v", kind, b, err)
			}
			again, err := domain.DecodeFact(kind, 1, encoded, true)
			if err != nil || !cmp.Equal(fact, again, cmpopts.EquateEmpty()) {
				t.Fatalf("%s from %q: %+v, then %+v (%v)", kind, b, fact, again, err)
			}
		}
	})
}
