package domain_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
)

func TestEventType_Validate(t *testing.T) {
	t.Parallel()
	for _, good := range []domain.EventType{"a", "offer.issued", "Offer-2.Is_Sued.x", "hooktrail", "hooktrails.x", domain.EventType(strings.Repeat("a", 255))} {
		if err := good.Validate("type"); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []domain.EventType{
		"", ".", "a.", ".a", "a..b", "a b", "a/b", "é", "a*", "*", "a.*", "a\x00", "hooktrail.delivery.dead", domain.EventType(strings.Repeat("a", 256)),
	} {
		if bad.Validate("type") == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestPattern_Validate(t *testing.T) {
	t.Parallel()
	for _, good := range []domain.Pattern{"*", "offer.*", "offer.*.paid", "*.paid", "*.*", "offer.issued", "hooktrail.*", "hooktrail.endpoint.disabled"} {
		if err := good.Validate("event_types[0]"); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []domain.Pattern{"", ".", "offer.", "offer*", "offer.**", "**", "*.", "a b", "offer..x", domain.Pattern(strings.Repeat("a", 256))} {
		if bad.Validate("event_types[0]") == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestPattern_Matches(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern domain.Pattern
		name    domain.EventType
		want    bool
	}{
		{"offer.issued", "offer.issued", true},
		{"offer.issued", "offer.issued.again", false},
		{"offer.issued", "offer", false},
		{"offer.issued", "Offer.issued", false},
		{"offer.issued", "offer.issue", false},
		{"offer.*", "offer.issued", true},
		{"offer.*", "offer.issued.again", true},
		{"offer.*", "offer", false},
		{"offer.*", "offers.issued", false},
		{"*", "offer", true},
		{"*", "offer.issued.again", true},
		{"*.issued", "offer.issued", true},
		{"*.issued", "offer.x.issued", false},
		{"*.issued", "issued", false},
		{"*.*", "offer.issued", true},
		{"*.*", "offer", false},
		{"*.*", "a.b.c", true},
		{"offer.*.paid", "offer.x.paid", true},
		{"offer.*.paid", "offer.x.y.paid", false},
		{"offer.*.paid", "offer.paid", false},
		{"*", "hooktrail.delivery.dead", false},
		{"*.delivery.dead", "hooktrail.delivery.dead", false},
		{"*.*", "hooktrail.delivery.dead", false},
		{"hooktrail.*", "hooktrail.delivery.dead", true},
		{"hooktrail.*.dead", "hooktrail.delivery.dead", true},
		{"hooktrail.delivery.dead", "hooktrail.delivery.dead", true},
		{"*", "hooktrail", true},
		{"*", "hooktrails.x", true},
	} {
		if got := test.pattern.Matches(test.name); got != test.want {
			t.Errorf("%s matches %s: %v, want %v", test.pattern, test.name, got, test.want)
		}
	}
}

// TestPattern_Property holds patterns against a regular expression made of them.
func TestPattern_Property(t *testing.T) {
	t.Parallel()
	segments := func(names ...string) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom(names), 1, 4).Draw(t, "segments"), ".")
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		pattern := domain.Pattern(segments("*", "*", "a", "b", "hooktrail").Draw(t, "pattern"))
		name := domain.EventType(segments("a", "a", "b", "hooktrail", "ab").Draw(t, "name"))
		if err := pattern.Validate("p"); err != nil {
			t.Fatal(err)
		}
		expression := strings.ReplaceAll(regexp.QuoteMeta(string(pattern)), `\*`, `[^.]+`)
		if strings.HasSuffix(string(pattern), "*") {
			expression += `(\.[^.]+)*`
		}
		want := regexp.MustCompile("^"+expression+"$").MatchString(string(name)) &&
			(pattern[0] != '*' || !strings.HasPrefix(string(name), "hooktrail."))
		if got := pattern.Matches(name); got != want {
			t.Fatalf("%s matches %s: %v, want %v", pattern, name, got, want)
		}
	})
}
