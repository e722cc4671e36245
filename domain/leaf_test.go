package domain_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
)

func TestLeaf_Append(t *testing.T) {
	t.Parallel()
	leaf := exampleLeaf()
	for i := range leaf.Commitments {
		leaf.Commitments[i].Value = [32]byte{byte(i)}
	}
	want := `{"actor":"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d1f","cause":"4709",` +
		`"commitment.answer":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","commitment.outcome":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",` +
		`"credential":"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d1e","data_key":"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d3c",` +
		`"kind":"delivery.attempt_finished","kind_version":"1","origin":"hooktrail-4711/acme","recorded_at":"2026-07-01T12:00:00.123456Z",` +
		`"sequence":"4711","stream":"delivery/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d02","stream_version":"3"}`
	if got := string(leaf.Append(nil)); got != want {
		t.Errorf("leaf is\n%s, want\n%s", got, want)
	}
	bare := domain.Leaf{
		Origin: "x/_instance", Kind: "k", KindVersion: 1, Stream: domain.Stream{Kind: "tenant"}, StreamVersion: 1,
		RecordedAt: time.Date(2026, 7, 1, 13, 0, 0, 500_000_999, time.FixedZone("", 3600)),
	}
	want = `{"kind":"k","kind_version":"1","origin":"x/_instance","recorded_at":"2026-07-01T12:00:00.5Z",` +
		`"sequence":"0","stream":"tenant/00000000-0000-0000-0000-000000000000","stream_version":"1"}`
	if got := string(bare.Append([]byte("before"))); got != "before"+want {
		t.Errorf("leaf is\n%s, want\n%s", got, want)
	}
}

func TestCommit(t *testing.T) {
	t.Parallel()
	// RFC 4231, test case 2.
	got := domain.Commit("data", []byte("Jefe"), []byte("what do ya want for nothing?"))
	const want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	if got.Part != "data" || hex.EncodeToString(got.Value[:]) != want {
		t.Errorf("commitment is %x, want %s", got.Value, want)
	}
	// With a salt as long as the product's and others around a block, for parts around the lengths of SHA-256's blocks.
	for _, bytesOfSalt := range []int{domain.SaltBytes, 0, 63, 64, 65, 96, 200} {
		salt := make([]byte, bytesOfSalt)
		_, _ = rand.Read(salt)
		for n := range 200 {
			content := bytes.Repeat([]byte{byte(n)}, n)
			mac := hmac.New(sha256.New, salt)
			mac.Write(content)
			if got := domain.Commit("data", salt, content); !hmac.Equal(got.Value[:], mac.Sum(nil)) {
				t.Errorf("the commitment to %d bytes with a salt of %d is %x, want %x", n, bytesOfSalt, got.Value, mac.Sum(nil))
			}
		}
	}
}

func TestParseLeaf_Refuses(t *testing.T) {
	t.Parallel()
	leaf := exampleLeaf()
	good := string(leaf.Append(nil))
	if _, err := domain.ParseLeaf([]byte(good)); err != nil {
		t.Fatal(err)
	}
	body := good[strings.Index(good, `"commitment.answer"`):strings.Index(good, `"commitment.outcome"`)]
	for name, bad := range map[string]string{
		"nothing":                 "",
		"no object":               `[]`,
		"null":                    `null`,
		"an empty object":         `{}`,
		"space":                   strings.Replace(good, `","kind"`, `", "kind"`, 1),
		"something behind":        good + " ",
		"cut off":                 good[:len(good)-1],
		"an unknown form":         good[:len(good)-1] + `,"v":"2"}`,
		"a member of no string":   strings.Replace(good, `{"actor"`, `{"aaa":1,"actor"`, 1),
		"an unneeded escape":      strings.Replace(good, `{"actor"`, `{"aaa":"\u0061","actor"`, 1),
		"an escape in a name":     strings.Replace(good, `{"actor"`, `{"a\"a":"1","actor"`, 1),
		"an empty name":           strings.Replace(good, `{"actor"`, `{"":"1","actor"`, 1),
		"a name of no ASCII":      good[:len(good)-1] + `,"é":"1"}`,
		"an empty commitment":     strings.Replace(good, `"commitment.answer"`, `"commitment."`, 1),
		"critical, or not":        strings.Replace(good, `"data_key"`, `"critical":"0","data_key"`, 1),
		"another order":           strings.Replace(good, `"kind_version":"1","origin":"hooktrail-4711/acme"`, `"origin":"hooktrail-4711/acme","kind_version":"1"`, 1),
		"a duplicate":             strings.Replace(good, `"cause"`, `"cause":"4709","cause"`, 1),
		"a duplicate commitment":  strings.Replace(good, body, body+body, 1),
		"commitments unsorted":    strings.Replace(strings.Replace(good, body, "", 1), `"credential"`, body+`"credential"`, 1),
		"a number":                strings.Replace(good, `"sequence":"4711"`, `"sequence":4711`, 1),
		"a leading zero":          strings.Replace(good, `"4711"`, `"04711"`, 1),
		"a negative number":       strings.Replace(good, `"4711"`, `"-4711"`, 1),
		"minus zero":              strings.Replace(good, `"4711"`, `"-0"`, 1),
		"a number out of range":   strings.Replace(good, `"4711"`, `"99999999999999999999"`, 1),
		"a cause of zero":         strings.Replace(good, `"4709"`, `"0"`, 1),
		"an escape":               strings.Replace(good, `"delivery.a`, `"\u0064elivery.a`, 1),
		"a UUID in capitals":      strings.Replace(good, `"actor":"01939f2e`, `"actor":"01939F2E`, 1),
		"an empty actor":          strings.Replace(good, `"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d1f"`, `""`, 1),
		"nanoseconds":             strings.Replace(good, `.123456Z`, `.123456789Z`, 1),
		"a trailing zero":         strings.Replace(good, `.123456Z`, `.10Z`, 1),
		"another zone":            strings.Replace(good, `.123456Z`, `.123456+00:00`, 1),
		"no stream":               strings.Replace(good, `"delivery/01`, `"delivery01`, 1),
		"a padded commitment":     strings.Replace(good, `","credential"`, `=","credential"`, 1),
		"a short commitment":      strings.Replace(good, body, `"commitment.answer":"AAAA",`, 1),
		"stray bits":              strings.Replace(good, body, `"commitment.answer":"`+strings.Repeat("A", 42)+`B",`, 1),
		"no UTF-8":                strings.Replace(good, "acme", "ac\xffme", 1),
		"longer than a leaf gets": strings.Replace(good, "acme", strings.Repeat("a", domain.MaxLeafBytes), 1),
	} {
		if bad == good {
			t.Fatalf("%s: the test changes nothing", name)
		}
		if _, err := domain.ParseLeaf([]byte(bad)); err == nil {
			t.Errorf("%s was accepted: %s", name, bad)
		}
	}
}

// TestParseLeaf_OfTomorrow: members that this program doesn't know are kept, and so are what the tree hashed.
func TestParseLeaf_OfTomorrow(t *testing.T) {
	t.Parallel()
	leaf := exampleLeaf()
	leaf.Critical = true
	good := string(leaf.Append(nil))
	for _, more := range []string{
		strings.Replace(good, `{"actor"`, `{"aaa":"1","actor"`, 1),
		strings.Replace(good, `"origin"`, `"kindred":"a\tb é","origin"`, 1),
		good[:len(good)-1] + `,"v":"1","zone":"x"}`,
	} {
		got, err := domain.ParseLeaf([]byte(more))
		if err != nil {
			t.Fatalf("%s: %v", more, err)
		}
		if len(got.Others) == 0 || !got.Critical || got.Sequence != leaf.Sequence || string(got.Append(nil)) != more {
			t.Errorf("%s was read as %+v", more, got)
		}
	}
}

// TestLeaf_AppendContext: the seals authenticate all of a leaf but what only the commit decides.
func TestLeaf_AppendContext(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		leaf := drawLeaf(t)
		var members map[string]string
		if err := json.Unmarshal(leaf.Append(nil), &members); err != nil {
			t.Fatal(err)
		}
		delete(members, "recorded_at")
		delete(members, "sequence")
		want, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		if got := leaf.AppendContext(nil); !bytes.Equal(got, want) {
			t.Fatalf("the context is %s, want %s", got, want)
		}
	})
}

// FuzzParseLeaf: what is accepted is what Append writes, canonical JSON of strings; nothing panics.
func FuzzParseLeaf(f *testing.F) {
	example := exampleLeaf()
	f.Add(example.Append(nil))
	f.Add([]byte(`{"kind":"k","kind_version":"1","origin":"x/y","recorded_at":"2026-07-01T12:00:00Z","sequence":"0","stream":"t/00000000-0000-0000-0000-000000000000","stream_version":"1"}`))
	for _, more := range []string{`"critical":"1","data_key"`, `"d":"\"\\é","data_key"`, `"d":1,"data_key"`, `"d\n":"1","data_key"`} {
		f.Add(bytes.Replace(example.Append(nil), []byte(`"data_key"`), []byte(more), 1))
	}
	f.Add(append(bytes.TrimSuffix(example.Append(nil), []byte("}")), `,"v":"1"}`...))
	f.Fuzz(func(t *testing.T, b []byte) {
		leaf, err := domain.ParseLeaf(b)
		if err != nil {
			return
		}
		if got := leaf.Append(nil); !bytes.Equal(got, b) {
			t.Errorf("accepted %s, which is written %s", b, got)
		}
		if err := domain.CheckJSON("leaf", b); err != nil {
			t.Errorf("accepted %s: %v", b, err)
		}
		var members map[string]string
		if err := json.Unmarshal(b, &members); err != nil {
			t.Errorf("accepted %s: %v", b, err)
		}
	})
}

func TestLeaf_RoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		leaf := drawLeaf(t)
		b := leaf.Append(nil)
		checkCanonical(t, b)
		got, err := domain.ParseLeaf(b)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if !slices.Equal(got.Commitments, leaf.Commitments) {
			t.Fatalf("commitments of %s are %v", b, got.Commitments)
		}
		got.Commitments, leaf.Commitments = nil, nil
		if !got.RecordedAt.Equal(leaf.RecordedAt) {
			t.Fatalf("%s was recorded at %v", b, got.RecordedAt)
		}
		got.RecordedAt = leaf.RecordedAt
		if g, w := got.Append(nil), leaf.Append(nil); !bytes.Equal(g, w) {
			t.Fatalf("got %s, want %s", g, w)
		}
	})
}

// checkCanonical: encoding/json writes a map of strings without HTML as RFC 8785 does, names in order.
func checkCanonical(t *rapid.T, b []byte) {
	var members map[string]string
	if err := json.Unmarshal(b, &members); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	again, err := json.Marshal(members)
	if err != nil || !bytes.Equal(again, b) {
		t.Fatalf("%s is not canonical: %s", b, again)
	}
}

// TestLeaf_AppendAllocates: Append and AppendContext allocate nothing. Both run for every entry, Append under the append lock.
func TestLeaf_AppendAllocates(t *testing.T) {
	leaf, buffer := exampleLeaf(), make([]byte, 0, domain.MaxLeafBytes)
	leaf.Critical = true
	leaf.Others = []domain.LeafMember{{Name: "aaa", Value: "1"}, {Name: "zone", Value: "x"}}
	n := testing.AllocsPerRun(100, func() { buffer = leaf.AppendContext(leaf.Append(buffer[:0])) })
	if n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

func drawLeaf(t *rapid.T) domain.Leaf {
	leaf := domain.Leaf{
		Origin:   rapid.StringMatching(`[a-z0-9-]{1,20}/[a-z0-9_-]{1,63}`).Draw(t, "origin"),
		Sequence: domain.Sequence(rapid.Int64Range(0, 1<<53).Draw(t, "sequence")),
		Kind:     rapid.SampledFrom(domain.Kinds()).Draw(t, "kind"), KindVersion: rapid.IntRange(1, 9).Draw(t, "kind version"),
		Stream:        domain.Stream{Kind: domain.StreamEvent, ID: drawUUID(t)},
		StreamVersion: rapid.IntRange(1, 1e9).Draw(t, "version"),
		By:            domain.Actor{Principal: drawUUID(t), Credential: drawUUID(t)},
		RecordedAt:    drawTime(t).Truncate(time.Microsecond),
		Cause:         domain.Sequence(rapid.Int64Range(0, 99).Draw(t, "cause")),
		DataKey:       drawUUID(t),
		Critical:      rapid.Bool().Draw(t, "critical"),
	}
	for _, name := range []string{"aaa", "commit", "kindred", "seq", "zone"} {
		if rapid.Bool().Draw(t, name) {
			leaf.Others = append(leaf.Others, domain.LeafMember{Name: name, Value: rapid.StringMatching(`[ !#-%'-;=?-Z]{0,9}`).Draw(t, "value")})
		}
	}
	for _, part := range []string{domain.PartIdentity, domain.PartData, domain.PartReason} {
		if rapid.Bool().Draw(t, part) {
			leaf.Commitments = append(leaf.Commitments, domain.Commit(part, nil, []byte(part)))
		}
	}
	return leaf
}

func TestLeaf_CommitmentIsBase64URL(t *testing.T) {
	t.Parallel()
	leaf := exampleLeaf()
	leaf.Commitments = leaf.Commitments[:1]
	want := base64.RawURLEncoding.EncodeToString(leaf.Commitments[0].Value[:])
	if b := string(leaf.Append(nil)); !strings.Contains(b, `"commitment.outcome":"`+want+`"`) {
		t.Errorf("leaf is %s, want the commitment %s", b, want)
	}
}
