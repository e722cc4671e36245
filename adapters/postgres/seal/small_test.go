package seal

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
)

// FuzzSmallEncoder holds blocks against package s2, which has to make the content again, and against their bound.
func FuzzSmallEncoder(f *testing.F) {
	ending := contentDictionary[len(contentDictionary)-40:]
	for _, seed := range []string{
		"", "{", "abc", `{"number":1}`, contentDictionary, contentDictionary[:300] + contentDictionary[700:],
		ending + contentDictionary, ending[36:] + "x" + ending[37:] + "x", // copies up to the dictionary's end, which they mustn't cross
		strings.Repeat("a", 64), strings.Repeat("a", 65), strings.Repeat("abcdefgh", 500), strings.Repeat("\x00", smallContent),
		"literal of 61 bytes: " + "zQ8xY2wP5vL7kM3nB9cT4rD6fG1hJ0sUeIiOoAaE",
	} {
		f.Add([]byte(seed))
	}
	var all []byte // that occur nowhere: one literal
	for i := range 300 {
		all = append(all, byte(i*7), byte(i>>3), byte(i*i), 0x80|byte(i))
	}
	f.Add(all)
	encoder, dictionary := newSmallEncoder(contentDictionary), s2.MakeDict([]byte(contentDictionary), nil)
	f.Fuzz(func(t *testing.T, content []byte) {
		content = content[:min(len(content), smallContent)]
		window := append([]byte(contentDictionary), content...)
		before := []byte("before")
		block := encoder.encode(before, window)
		if !bytes.HasPrefix(block, before) || !bytes.Equal(window, append([]byte(contentDictionary), content...)) {
			t.Fatal("the encoder changed what it was given")
		}
		block = block[len(before):]
		if limit := s2.MaxEncodedLen(len(content)); len(block) > limit {
			t.Errorf("%d bytes became %d, over %d", len(content), len(block), limit)
		}
		if len(content) == 0 {
			return // a content has at least the count of its first part's name
		}
		decoded, err := dictionary.Decode(nil, block)
		if err != nil || !bytes.Equal(decoded, content) {
			t.Errorf("%q came back as %q: %v", content, decoded, err)
		}
	})
}

// What package s2's own encoder writes opens as well.
func TestCodec_BlocksOfTheLibrary(t *testing.T) {
	t.Parallel()
	c := newFixture(t)
	raw := []byte("\x06intent\x20" + `{"number":1,"profile_digest":""}`)
	decoded, err := c.decompress(partsS2, c.dictionary.Encode(nil, raw))
	if err != nil || !bytes.Equal(decoded, raw) {
		t.Errorf("%q came back as %q: %v", raw, decoded, err)
	}
}

// TestSmallEncoder_Splices makes contents of pieces of the dictionary, of themselves and of noise, as few inputs of a fuzzer
// are: what an entry's content can't be opened from is lost for ever.
func TestSmallEncoder_Splices(t *testing.T) {
	t.Parallel()
	encoder, dictionary := newSmallEncoder(contentDictionary), s2.MakeDict([]byte(contentDictionary), nil)
	random := rand.New(rand.NewPCG(1, 2))
	piece := func(of string, most int) string {
		at := random.IntN(len(of) + 1)
		return of[at:min(len(of), at+random.IntN(most))]
	}
	for range 5000 {
		var content string
		for length := 1 + random.IntN(smallContent); len(content) < length; {
			switch random.IntN(4) {
			case 0:
				content += piece(contentDictionary, 150)
			case 1:
				content += piece(content, 300)
			case 2:
				content += contentDictionary[len(contentDictionary)-random.IntN(20):]
			default:
				for range 1 + random.IntN(90) {
					content += string([]byte{byte(random.Uint32())})
				}
			}
		}
		content = content[:min(len(content), smallContent)]
		block := encoder.encode(nil, []byte(contentDictionary+content))
		if decoded, err := dictionary.Decode(nil, block); err != nil || string(decoded) != content {
			t.Fatalf("%q came back as %q: %v", content, decoded, err)
		}
	}
}
