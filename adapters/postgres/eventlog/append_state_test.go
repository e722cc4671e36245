package eventlog

import (
	"math/rand/v2"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// A lower version that comes late doesn't shadow the higher one, whichever generation that is in.
func TestVersions_NeverLowered(t *testing.T) {
	t.Parallel()
	v := newVersions()
	key := streamKey{"acme", domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}}
	v.put(key, 2)
	for range maxKnownVersions {
		v.put(key, 1)
		v.put(streamKey{"acme", domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}}, 1)
		if version, ok := v.get(key); !ok || version != 2 {
			t.Fatalf("version %d, %v, with %d streams in memory", version, ok, len(v.young)+len(v.old))
		}
	}
	if len(v.old) == 0 {
		t.Error("no generation was replaced: the test shows nothing")
	}
}

// TestVersions holds what is known of streams against all there are: whatever get answers is true, also of streams that
// were forgotten, and new streams are known to be new.
func TestVersions(t *testing.T) {
	t.Parallel()
	v := newVersions()
	all := make(map[streamKey]int)
	var keys []streamKey
	proven := 0
	const streams = 3 * maxKnownVersions
	for range streams {
		key := streamKey{"acme", domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}}
		if version, ok := v.get(key); ok && version == 0 {
			proven++
		}
		keys = append(keys, key)
		for _, key := range []streamKey{key, keys[rand.IntN(len(keys))]} {
			all[key]++
			v.put(key, all[key])
		}
	}
	if proven != streams {
		t.Errorf("%d of %d new streams were known to be new", proven, streams)
	}
	forgotten := 0
	for key, want := range all {
		version, ok := v.get(key)
		if !ok {
			forgotten++
		}
		if ok && version != want {
			t.Fatalf("%v has version %d, want %d", key, version, want)
		}
	}
	if forgotten == 0 || len(v.young)+len(v.old) > 2*maxKnownVersions {
		t.Errorf("nothing was forgotten: %d streams are in memory", len(v.young)+len(v.old))
	}
}
