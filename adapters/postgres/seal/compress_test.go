package seal

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// FuzzCodec_Compress holds what is compressed to what comes out of it, and to what it was appended to.
func FuzzCodec_Compress(f *testing.F) {
	ending := contentDictionary[len(contentDictionary)-40:]
	for _, seed := range []string{
		"{", "abc", `{"number":1}`, contentDictionary, contentDictionary[:300] + contentDictionary[700:],
		ending + contentDictionary, ending[36:] + "x" + ending[37:] + "x", // copies up to the dictionary's end, which they mustn't cross
		strings.Repeat("a", 64), strings.Repeat("a", 65), strings.Repeat("abcdefgh", 500), strings.Repeat("\x00", smallContent),
		strings.Repeat("large", smallContent), "literal of 61 bytes: " + "zQ8xY2wP5vL7kM3nB9cT4rD6fG1hJ0sUeIiOoAaE",
	} {
		f.Add([]byte(seed))
	}
	var all []byte // that occur nowhere: one literal
	for i := range 300 {
		all = append(all, byte(i*7), byte(i>>3), byte(i*i), 0x80|byte(i))
	}
	f.Add(all)
	c := newFixture(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == 0 {
			return // a content has at least the length of its first part's name
		}
		head := append(make([]byte, 0, 3+len(raw)%64), "\x00he"...) // with room for some of it, or none
		packed := c.compress(head, raw)
		if string(packed[1:3]) != "he" {
			t.Fatal("what was before the block has changed")
		}
		if back, err := c.decompress(packed[0], packed[3:]); err != nil || !bytes.Equal(back, raw) {
			t.Errorf("%q came back as %q: %v", raw, back, err)
		}
	})
}

// What earlier versions compressed, with an encoder of their own, opens as ever.
func TestCodec_BlocksOfBefore(t *testing.T) {
	t.Parallel()
	const (
		raw = "\x06intent\x86\x01" + `{"number":2,"endpoint_version":7,"profile_digest":` +
			`"93b13661c7044eede9b3d5cd7be9c21b09b34029cea668ab58d2d6f4b9ff5e56","note":"aaaaaaaaaaaaaaaa"}` + "\x05class\x04none"
		block = "owFNoQSGARntADJO7QAAN/7tAFbtAARubwGXBCJhOgEAACJNNxAEbm9uZQ=="
	)
	packed, err := base64.StdEncoding.DecodeString(block)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := newFixture(t).decompress(partsS2, packed); err != nil || string(back) != raw {
		t.Errorf("it came back as %q: %v", back, err)
	}
}
