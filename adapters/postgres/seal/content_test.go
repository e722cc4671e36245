package seal

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

func sealed(t testing.TB, c *codec, parts []domain.Part) (key *dataKey, leaf, content []byte) {
	t.Helper()
	raw := make([]byte, dataKeyBytes)
	_, _ = rand.Read(raw)
	primitive, err := newDataAEAD(raw)
	if err != nil {
		t.Fatal(err)
	}
	commitments, content, err := c.seal(primitive, "test/acme", parts)
	if err != nil {
		t.Fatal(err)
	}
	l := domain.Leaf{
		Origin: "test/acme", Kind: domain.KindEventAppended, KindVersion: 1,
		Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}, StreamVersion: 1,
		RecordedAt: time.Now().Truncate(time.Microsecond), DataKey: domain.NewUUID(), Commitments: commitments,
	}
	return &dataKey{aead: primitive}, l.Append(nil), content
}

func TestCodec(t *testing.T) {
	t.Parallel()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	random := make([]byte, 3000)
	_, _ = rand.Read(random)
	for _, data := range [][]byte{{}, []byte("{}"), random, []byte(strings.Repeat("all the same ", 100)), bytes.Repeat(random, 90)} {
		parts := []domain.Part{{Name: "data", Bytes: data}, {Name: "attributes", Bytes: []byte(`{"id":"1"}`)}}
		key, leaf, content := sealed(t, c, parts)
		opened, salts, err := c.open(key.aead, leaf, content)
		if err != nil || len(opened) != 2 || !bytes.Equal(opened[0].Bytes, data) || opened[1].Name != "attributes" {
			t.Fatalf("%d bytes came back as %d parts: %v", len(data), len(opened), err)
		}
		parsed, err := domain.ParseLeaf(leaf)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range opened {
			want := domain.Commit(p.Name, salts[i*domain.SaltBytes:(i+1)*domain.SaltBytes], p.Bytes)
			if parsed.Commitments[0] != want && parsed.Commitments[1] != want {
				t.Errorf("the leaf doesn't commit to part %s", p.Name)
			}
		}
	}
}

// TestCodec_Damage changes one byte of content or leaf, and puts a content beside another leaf.
func TestCodec_Damage(t *testing.T) {
	t.Parallel()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	parts := []domain.Part{{Name: "data", Bytes: []byte(`{"a":1}`)}}
	key, leaf, content := sealed(t, c, parts)
	for i := range content {
		damaged := bytes.Clone(content)
		damaged[i] ^= 1
		if _, _, err := c.open(key.aead, leaf, damaged); err == nil {
			t.Errorf("byte %d of the content was changed unnoticed", i)
		}
	}
	_, other, _ := sealed(t, c, parts)
	if _, _, err := c.open(key.aead, other, content); err == nil {
		t.Error("a content was opened beside another leaf")
	}
	moved := bytes.Replace(leaf, []byte("test/acme"), []byte("test/evil"), 1)
	if _, _, err := c.open(key.aead, moved, content); err == nil {
		t.Error("a content was opened under another origin")
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
