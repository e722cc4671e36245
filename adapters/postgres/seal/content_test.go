package seal

import (
	"bytes"
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// fixture has a codec, and the secrets of a tenant, a subject and a period, which are in no database.
type fixture struct {
	*Codec
	keys  Keys
	found *Found // all of the secrets
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	master, err := LoadOrCreateMasterKey(filepath.Join(t.TempDir(), "master.json"))
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := NewKeyring(nil, master)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := NewCodec(keyring)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(codec.Close)
	secret := func(p Purpose, hash []byte) *Secret {
		s, err := newCandidate(master, p, hash)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	f := &fixture{Codec: codec, keys: Keys{
		Tenant:  secret(Purpose{Tenant: "acme", Kind: KindTenant}, nil),
		Period:  secret(Purpose{Tenant: "acme", Kind: KindPeriod, Class: "default", Month: "2026-11"}, nil),
		Subject: secret(Purpose{Tenant: "acme", Kind: KindSubject, Subject: "ann"}, make([]byte, SubjectHashBytes)),
	}}
	f.keys.SubjectID = f.keys.Subject.ID
	f.found = &Found{
		byID:    map[domain.UUID]*Secret{f.keys.Period.ID: f.keys.Period, f.keys.Subject.ID: f.keys.Subject},
		tenants: map[domain.TenantID]*Secret{"acme": f.keys.Tenant},
	}
	return f
}

// nobody are the keys of what is about nobody.
func (f *fixture) nobody() Keys { return Keys{Tenant: f.keys.Tenant, Period: f.keys.Period} }

// seal makes a leaf that commits to the parts, and the content.
func (f *fixture) seal(t testing.TB, keys Keys, parts ...domain.Part) (leaf domain.Leaf, content []byte) {
	t.Helper()
	packed, err := f.Pack(parts, &keys)
	if err != nil {
		t.Fatal(err)
	}
	leaf = domain.Leaf{
		Origin: "test/acme", Kind: domain.KindEventAppended, KindVersion: 1,
		Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}, StreamVersion: 1,
		RecordedAt: time.Now().Truncate(time.Microsecond), DataKey: keys.Period.ID, Commitments: packed.Commitments,
	}
	if content, err = f.Seal(packed, &keys, leaf.AppendContext(nil)); err != nil {
		t.Fatal(err)
	}
	return leaf, content
}

// open opens a content with those secrets that found has.
func (f *fixture) open(leaf domain.Leaf, content []byte) Content {
	o := Content{Tenant: "acme", Period: leaf.DataKey, LeafContext: leaf.AppendContext(nil), Sealed: content}
	f.openTenants(&o, f.found)
	if o.State == Whole && !o.SubjectKey.IsZero() {
		f.openSubjects(&o, f.found, f.found)
	}
	return o
}

func TestCodec(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	random := make([]byte, 3000)
	_, _ = rand.Read(random)
	for _, data := range [][]byte{{}, []byte("{}"), random, []byte(strings.Repeat("all the same ", 100)), bytes.Repeat(random, 90)} {
		for _, keys := range []Keys{f.keys, f.nobody()} {
			parts := []domain.Part{{Name: domain.PartClass, Bytes: []byte(`{"type":"a"}`)}, {Name: domain.PartData, Bytes: data}}
			leaf, content := f.seal(t, keys, parts...)
			o := f.open(leaf, content)
			if o.State != Whole || o.SubjectKey != keys.SubjectID {
				t.Fatalf("%d bytes came back as %+v", len(data), o)
			}
			got := make(map[string][]byte)
			for i, p := range o.Parts {
				got[p.Name] = p.Bytes
				want := domain.Commit(p.Name, o.Salts[i], p.Bytes)
				committed := false
				for _, c := range leaf.Commitments {
					committed = committed || c == want
				}
				if !committed {
					t.Errorf("the leaf doesn't commit to part %s", p.Name)
				}
			}
			if !bytes.Equal(got[domain.PartData], data) || string(got[domain.PartClass]) != `{"type":"a"}` || len(got) != len(leaf.Commitments) {
				t.Errorf("%d bytes came back as %d parts", len(data), len(got))
			}
		}
	}
}

// TestCodec_Damage changes one byte of a content, and puts contents beside leaves that aren't theirs.
func TestCodec_Damage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	parts := []domain.Part{{Name: domain.PartClass, Bytes: []byte(`{}`)}, {Name: domain.PartData, Bytes: []byte(`{"a":1}`)}}
	leaf, content := f.seal(t, f.keys, parts...)
	for i := range content {
		damaged := bytes.Clone(content)
		damaged[i] ^= 1
		if o := f.open(leaf, damaged); o.State != Damaged || o.Parts != nil || o.Problem == nil {
			t.Errorf("byte %d of the content was changed unnoticed", i)
		}
	}
	for name, change := range map[string]func(*domain.Leaf){
		"origin":         func(l *domain.Leaf) { l.Origin = "test/evil" },
		"stream":         func(l *domain.Leaf) { l.Stream.ID = domain.NewUUID() },
		"stream version": func(l *domain.Leaf) { l.StreamVersion = 2 },
		"kind":           func(l *domain.Leaf) { l.Kind = domain.KindKeyCreated },
		"actor":          func(l *domain.Leaf) { l.By.Principal = domain.NewUUID() },
		"cause":          func(l *domain.Leaf) { l.Cause = 7 },
		"commitments":    func(l *domain.Leaf) { l.Commitments = l.Commitments[:1] },
	} {
		other := leaf
		change(&other)
		if o := f.open(other, content); o.State != Damaged {
			t.Errorf("a content was opened beside a leaf with another %s", name)
		}
	}
	// Two contents of the same subject can't exchange their sections either.
	leafB, contentB := f.seal(t, f.keys, parts...)
	_, rest, _ := cutCounted(content[1:])
	_, restB, _ := cutCounted(contentB[1:])
	mixed := append(content[:len(content)-len(rest):len(content)-len(rest)], restB...)
	for _, l := range []domain.Leaf{leaf, leafB} {
		if o := f.open(l, mixed); o.State != Damaged {
			t.Error("sections of two contents were opened together")
		}
	}
	// That a section is missing the leaf's commitments tell.
	if o := f.open(leaf, content[:len(content)-len(rest)]); len(o.Parts) == len(leaf.Commitments) {
		t.Errorf("without the subject's section the content reads as %+v", o)
	}
}

// TestCodec_Destroyed opens what is left when secrets were destroyed, or are missing.
func TestCodec_Destroyed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	parts := []domain.Part{{Name: domain.PartClass, Bytes: []byte(`{}`)}, {Name: domain.PartData, Bytes: []byte(`{"a":1}`)}}
	leaf, content := f.seal(t, f.keys, parts...)
	f.found.byID[f.keys.SubjectID] = nil
	if o := f.open(leaf, content); o.State != SubjectErased || len(o.Parts) != 2 || o.Parts[0].Name != domain.PartClass ||
		o.SubjectKey != f.keys.SubjectID {
		t.Errorf("without the subject's secret: %+v", o)
	}
	delete(f.found.byID, f.keys.SubjectID)
	if o := f.open(leaf, content); o.State != Damaged {
		t.Errorf("the subject's secret is missing: %+v", o)
	}
	f.found.byID[f.keys.Period.ID] = nil
	if o := f.open(leaf, content); o.State != Erased || o.Parts != nil {
		t.Errorf("without the period's secret: %+v", o)
	}
	delete(f.found.byID, f.keys.Period.ID)
	if o := f.open(leaf, content); o.State != Damaged {
		t.Errorf("the period's secret is missing: %+v", o)
	}
	// What is appended after the erasure has only the tenant's parts.
	keys := f.nobody()
	keys.SubjectID = f.keys.SubjectID
	packed, err := f.Pack(parts, &keys)
	if err != nil || !packed.Erased || len(packed.Kept) != 1 || len(packed.Commitments) != 2 {
		t.Errorf("packed %+v, %v", packed, err)
	}
}

// TestSecret_Row changes what a row says of a secret: it doesn't open.
func TestSecret_Row(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, change := range map[string]func(*Secret){
		"id":      func(s *Secret) { s.ID = domain.NewUUID() },
		"tenant":  func(s *Secret) { s.Purpose.Tenant = "evil" },
		"kind":    func(s *Secret) { s.Purpose.Kind = KindTenant },
		"class":   func(s *Secret) { s.Purpose.Class = "default" },
		"month":   func(s *Secret) { s.Purpose.Month = "2026-11" },
		"subject": func(s *Secret) { s.SubjectHash = bytes.Repeat([]byte{1}, SubjectHashBytes) },
	} {
		s := f.keys.Subject
		row := &Secret{ID: s.ID, Purpose: s.Purpose, SubjectHash: s.SubjectHash}
		if err := row.unwrap(f.Codec.keys.master, s.Wrapped); err != nil {
			t.Fatal(err)
		}
		change(row)
		if err := row.unwrap(f.Codec.keys.master, s.Wrapped); err == nil {
			t.Errorf("a secret opens with another %s", name)
		}
	}
}

// TestKeyring_Bounded uses more subjects than are remembered: the memory stays bounded, and those of late are there.
func TestKeyring_Bounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	k := f.Codec.keys
	name := func(i int) string { return string(rune('a'+i%26)) + time.Duration(i).String() }
	const subjects = maxSecrets + 5_000
	var last *Secret
	for i := range subjects {
		s, err := k.subject(f.keys.Tenant, name(i))
		if err != nil {
			t.Fatal(err)
		}
		last = s
	}
	if n := k.sealing.Len(); n > maxSecrets || n < maxSecrets/2 {
		t.Errorf("%d secrets are in memory", n)
	}
	if s, err := k.subject(f.keys.Tenant, name(subjects-1)); err != nil || s != last {
		t.Errorf("the last one was forgotten: %v", err)
	}
	if s, err := k.subject(f.keys.Tenant, name(subjects-maxSecrets/2)); err != nil || s.Stored() {
		t.Errorf("half of them were forgotten at once: %v", err)
	}
}

// FuzzUnpack holds the reading of parts to refusing what the writing doesn't make.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("\x04data\x02{}"), 1)
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 2)
	f.Fuzz(func(t *testing.T, raw []byte, n int) {
		n = max(0, n%256)
		parts, err := unpack(raw, n)
		if err == nil && len(parts) != n {
			t.Errorf("%d parts, want %d", len(parts), n)
		}
	})
}
