package webhook

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// valid is a document from which the faulty ones are made.
const valid = `{
  "name": "mine", "version": 1, "transport": "https", "content_type": "application/json",
  "envelope": {"id": "${id}", "subject?": "${subject}", "n": [1, true, null, "${sequence|string}"], "t": "at ${occurred_at} $${x}", "data": "${data}"},
  "headers": {"X-Id": "${id}", "X-Time": "${timestamp}", "X-Note": "event ${type} no. ${attempt}"},
  "signature": {"header": "X-Sig", "content": "${timestamp}:${body}", "encoding": "hex", "algorithms": {"hmac-sha256": ""}},
  "key": {"format": "text", "generated": true},
  "success": ["200", "204"], "timeout": "20s",
  "retry": {"schedule": ["5s", "5m"], "jitter": 0.1}, "honours_retry_after": true, "event_types": ["a.b"]
}`

func TestParseProfile_anOperatorsOwn(t *testing.T) {
	t.Parallel()
	p, err := ParseProfile([]byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	if !p.HTTPSOnly || p.Timeout != 20*time.Second || len(p.Retry.Gaps) != 2 || !p.HonoursRetryAfter || !p.KeyGenerated ||
		len(p.EventTypes) != 1 {
		t.Errorf("read as %+v", p)
	}
	if !p.Succeeded(200) || p.Succeeded(201) || !p.Succeeded(204) || p.Succeeded(302) || p.Succeeded(0) {
		t.Error("the success rule is wrong")
	}
	e := sampleEvent()
	r := mustBuild(t, sampleTarget(t, p, "https://r.example/"), e, Attempt{Number: 2, At: time.Unix(1700137999, 0)})
	want := `{"id":"order-7","subject":"member/42","n":[1,true,null,"4711"],"t":"at 2023-11-16T12:30:45.12Z ${x}","data":` + string(
		e.Data,
	) + `}`
	if string(r.Body) != want {
		t.Errorf("body\n got %s\nwant %s", r.Body, want)
	}
	if got := r.Header.Get("X-Note"); got != "event order.paid no. 2" {
		t.Errorf("X-Note is %q", got)
	}
	if err := Verify(
		p,
		[]*Key{mustKey(t, p, sampleKey(p))},
		r.Header,
		r.Body,
		time.Unix(1700137999, 0),
		time.Minute,
	); err != nil {
		t.Error(err)
	}
}

// coherent-spark's webhooks are set up by a tenant's administrators only; every other format leaves it open.
func TestParseProfile_selfService(t *testing.T) {
	t.Parallel()
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.All() {
		if p.SelfService != (p.Name != "coherent-spark") {
			t.Errorf("%s: self-service is %v", p.Name, p.SelfService)
		}
	}
	for written, want := range map[string]bool{"": true, `, "self_service": true`: true, `, "self_service": false`: false} {
		p, err := ParseProfile([]byte(strings.Replace(valid, `"version": 1`, `"version": 1`+written, 1)))
		if err != nil || p.SelfService != want {
			t.Errorf("%q is read as %v (%v)", written, p != nil && p.SelfService, err)
		}
	}
}

func TestParseProfile_saysWhereItIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct{ old, new, pointer string }{
		{`"version": 1`, `"version": 1.5`, "/version"},
		{`"version": 1, `, ``, "/version"},
		{`"name": "mine"`, `"name": "Mine"`, "/name"},
		{`"name": "mine"`, `"name": 7`, "/name"},
		{`"name": "mine"`, `"nome": "mine"`, "/nome"},
		{`"name": "mine"`, `"name": "mine", "name": "mine"`, "/name"},
		{`"https"`, `"ftp"`, "/transport"},
		{`"application/json"`, `"application/json\r\nX: y"`, "/content_type"},
		{`"${id}", "subject?"`, `"${nope}", "subject?"`, "/envelope/id"},
		{`"${id}", "subject?"`, `"${id", "subject?"`, "/envelope/id"},
		{`"${id}", "subject?"`, `"${id|array}", "subject?"`, "/envelope/id"},
		{`"${id}", "subject?"`, `"${id|percent}", "subject?"`, "/envelope/id"},
		{`"${id}", "subject?"`, `"${body}", "subject?"`, "/envelope/id"},
		{`"${subject}"`, `"about ${subject}"`, "/envelope/subject?"},
		{`"${subject}"`, `"${sequence}"`, "/envelope/subject?"},
		{`"content_type": "application/json"`, `"content_type": "${data_content_type}"`, "/content_type"},
		{`"${subject}"`, `{"a": "${subject}"}`, "/envelope/subject?"},
		{`{"id": "${id}", `, `{`, "/envelope/subject?"},
		{`"at ${occurred_at} $${x}"`, `"at ${data}"`, "/envelope/t"},
		{`[1, true, null, "${sequence|string}"]`, `[1, "${data.}"]`, "/envelope/n/1"},
		{`"data": "${data}"`, `"...": "${data}"`, "/envelope/..."},
		{`"data": "${data}"`, `"data": ["${data}", "${data}", "${data}", "${data|array}", "${data}"]`, "/envelope"},
		{
			`"data": "${data}"`,
			`"data": ["${data.a}", "${data.b}", "${data.a}", "${data.a}", "${data.a}", "${data.a}"]`,
			"/envelope",
		},
		{`"X-Id": "${id}"`, `"Content-Length": "1"`, "/headers/Content-Length"},
		{`"X-Id": "${id}"`, `"Idempotency-Key": "${id}"`, "/headers/Idempotency-Key"},
		{`"X-Id": "${id}"`, `"X-Id": "a\nb"`, "/headers/X-Id"},
		{`"X-Id": "${id}"`, `"X Id": "a"`, "/headers/X Id"},
		{`"X-Id": "${id}"`, `"x-time": "a"`, "/headers/X-Time"},
		{`"X-Id": "${id}"`, `"X-Id": "${data}"`, "/headers/X-Id"},
		{`"X-Id": "${id}"`, `"X/Id~": "${id}"`, "/headers/X~1Id~0"},
		{`"X-Id": "${id}"`, `"X-Id?": "${id}!"`, "/headers/X-Id?"},
		{`"X-Sig"`, `"x-id"`, "/signature/header"},
		{`"X-Sig"`, `"Hooktrail-Sig"`, "/signature/header"},
		{`${timestamp}:${body}`, `${timestamp}`, "/signature/content"},
		{`${timestamp}:${body}`, `${type}:${body}`, "/signature/content"},
		{`"hex"`, `"base32"`, "/signature/encoding"},
		{`{"hmac-sha256": ""}`, `{"md5": ""}`, "/signature/algorithms/md5"},
		{`"encoding": "hex"`, `"encoding": "hex", "separator": "0"`, "/signature/separator"},
		{
			`"algorithms": {"hmac-sha256": ""}`,
			`"separator": ",", "algorithms": {"hmac-sha256": "v1,"}`,
			"/signature/algorithms/hmac-sha256",
		},
		{`{"hmac-sha256": ""}`, `{}`, "/signature/algorithms"},
		{`{"hmac-sha256": ""}`, `{"hmac-sha256": "", "ed25519": "e"}`, "/signature/algorithms"},
		{`"key": {"format": "text", "generated": true},`, ``, "/key"},
		{`"format": "text"`, `"format": "hex"`, "/key/format"},
		{`["200", "204"]`, `["200", "301"]`, "/success/1"},
		{`["200", "204"]`, `[]`, "/success"},
		{`["200", "204"]`, `[200]`, "/success/0"},
		{`"20s"`, `"20m"`, "/timeout"},
		{`"20s"`, `20`, "/timeout"},
		{`["5s", "5m"]`, `["5s", "1ms"]`, "/retry/schedule/1"},
		{`["5s", "5m"]`, `["5s", "soon"]`, "/retry"},
		{`"jitter": 0.1`, `"jitter": 3`, "/retry/jitter"},
		{`"jitter": 0.1`, `"jigger": 3`, "/retry/jigger"},
		{`"honours_retry_after": true`, `"honours_retry_after": true, "self_service": "no"`, "/self_service"},
		{`"honours_retry_after": true`, `"honours_retry_after": "yes"`, "/honours_retry_after"},
		{`["a.b"]`, `["a b"]`, "/event_types/0"},
		{`["a.b"]`, `["a.b", "a.b"]`, "/event_types/1"},
		{`"event_types": ["a.b"]`, `"event_types": ["a.b"`, ""},
		{`"event_types": ["a.b"]`, `"auth": {"required": true, "types": ["kerberos"]}`, "/auth/types/0"},
		{`"event_types": ["a.b"]`, `"auth": {"required": true, "query": "a b"}`, "/auth/query"},
	}
	for _, tt := range tests {
		document := strings.Replace(valid, tt.old, tt.new, 1)
		if document == valid {
			t.Fatalf("%q is not in the valid document", tt.old)
		}
		_, err := ParseProfile([]byte(document))
		var wrong *DocumentError
		if !errors.As(err, &wrong) {
			t.Errorf("%s: %v, want a *DocumentError", tt.new, err)
			continue
		}
		if wrong.Faults[0].Pointer != tt.pointer {
			t.Errorf("%s: %q is said to be wrong, want %q (%v)", tt.new, wrong.Faults[0].Pointer, tt.pointer, err)
		}
	}
}

func TestParseProfile_hostile(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"empty": "", "null": "null", "array": "[]", "two": valid + valid, "not UTF-8": strings.Replace(valid, "mine", "m\xffne", 1),
		"deep": strings.Replace(valid, `"${data}"`, strings.Repeat("[", 5000)+strings.Repeat("]", 5000), 1),
		"long": valid + strings.Repeat(" ", MaxProfileBytes), "only braces": strings.Repeat("{", 10000),
	} {
		_, err := ParseProfile([]byte(document))
		var wrong *DocumentError
		if !errors.As(err, &wrong) || len(wrong.Error()) > 2000 {
			t.Errorf("%s: %v, want a short *DocumentError", name, err)
		}
	}
}

func FuzzParseProfile(f *testing.F) {
	f.Add([]byte(valid))
	paths, _ := embedded.ReadDir("profiles")
	for _, path := range paths {
		document, err := embedded.ReadFile("profiles/" + path.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := ParseProfile(document)
		if err != nil {
			var wrong *DocumentError
			if !errors.As(err, &wrong) || len(wrong.Faults) == 0 {
				t.Fatalf("%v is no *DocumentError", err)
			}
			return
		}
		c := TargetConfig{Profile: p, URL: "https://r.example/", UserAgent: userAgent}
		if p.Signs() && !p.signsWith(hmacSHA256) {
			return // sampleKey is for HMAC
		}
		if p.Signs() {
			key, err := p.ParseKey(domain.UUID{}, sampleKey(p))
			if err != nil {
				t.Fatal(err)
			}
			c.Keys = []*Key{key}
		}
		target, err := NewTarget(c)
		if err != nil {
			return // auth is needed
		}
		checkAccepted(t, target, document)
	})
}

// checkAccepted: an accepted document makes JSON that a receiver can verify, or refuses the event; and it can be
// described, with a body that fits the schema.
func checkAccepted(t *testing.T, target *Target, document []byte) {
	d, err := target.profile.Describe(Sample{})
	if err != nil {
		t.Fatalf("%s can't be described: %v", document, err)
	}
	if err := validate(t, compiledSchema(t, d), []byte(d.Body)); err != nil {
		t.Fatalf("%s: %v in %s", document, err, d.Body)
	}
	r, err := target.Build(sampleEvent(), Attempt{Number: 1, At: time.Unix(1700137999, 0)})
	var refused *RefusedError
	if errors.As(err, &refused) {
		return
	}
	if err != nil || !json.Valid(r.Body) {
		t.Fatalf("%s builds %q, %v", document, r.Body, err)
	}
	if !target.profile.Signs() {
		return
	}
	if err := Verify(target.profile, target.signers, r.Header, r.Body, time.Unix(1700137999, 0), 0); err != nil {
		t.Fatalf("%s can't be verified: %v", document, err)
	}
}

func TestProfiles_With(t *testing.T) {
	t.Parallel()
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	parse := func(old, new string) *Profile {
		p, err := ParseProfile([]byte(strings.Replace(valid, old, new, 1)))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := parse("", "")
	bigger, err := set.With(first)
	if err != nil || bigger.Named("mine") != first || set.Named("mine") != nil || len(bigger.All()) != len(set.All())+1 {
		t.Fatalf("the set isn't grown beside the old one: %v", err)
	}
	if _, err := bigger.With(parse(" ", "  ")); err != nil {
		t.Errorf("the same document again: %v", err)
	}
	if _, err := bigger.With(parse(`"20s"`, `"21s"`)); err == nil {
		t.Error("another document under the same name and version is accepted")
	}
	if _, err := bigger.With(parse(`"mine"`, `"sparkfly"`)); err == nil {
		t.Error("an embedded profile's name is accepted")
	}
	second := parse(`"version": 1`, `"version": 2`)
	newer, err := bigger.With(second)
	if err != nil || newer.Named("mine") != second || newer.ByDigest(first.Digest) != first {
		t.Errorf("the older version doesn't stay: %v", err)
	}
}

// The schedule that firespring promises: twelve retries, the last 4,095 minutes after the first attempt, no jitter.
func TestEmbedded_firespring(t *testing.T) {
	t.Parallel()
	p := embeddedProfile(t, "firespring")
	var sum time.Duration
	n := 0
	for gap, ok := p.Retry.Gap(1); ok; gap, ok = p.Retry.Gap(n + 1) {
		if want := time.Minute << n; gap != want {
			t.Errorf("gap %d is %s, want %s", n+1, gap, want)
		}
		n, sum = n+1, sum+gap
	}
	if n != 12 || sum != 4095*time.Minute || p.Retry.Jitter != 0 {
		t.Errorf("%d retries in %s, jitter %g", n, sum, p.Retry.Jitter)
	}
	if !p.Succeeded(200) || p.Succeeded(201) || p.Succeeded(204) || p.Timeout != 30*time.Second || p.HonoursRetryAfter {
		t.Error("firespring takes 200 within 30 s and nothing else")
	}
}
