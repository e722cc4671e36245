package domain_test

import (
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// TestParseTime: times are those of RFC 3339, as the format date-time has them.
func TestParseTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-07-01t12:00:00.5z":        "2026-07-01T12:00:00.5Z",
		"2026-07-01T12:00:00.1234567Z":  "2026-07-01T12:00:00.123456Z",
		"2026-07-01T12:00:00+23:59":     "2026-06-30T12:01:00Z",
		"1998-12-31T23:59:60Z":          "1999-01-01T00:00:00Z",
		"1998-12-31T15:59:60.123-08:00": "1999-01-01T00:00:00.123Z",
		"2015-06-30t23:59:60z":          "2015-07-01T00:00:00Z",
		"2026-07-01T12:00:00,5Z":        "",
		"2026-07-01T12:00:00+24:00":     "",
		"2026-07-01T12:00:00+23:60":     "",
		"2026-07-01T1:00:00Z":           "",
		"2026-07-01 12:00:00Z":          "",
		"2026-07-01T12:00:00":           "",
		"2026-07-01T24:00:00Z":          "",
		"2026-02-29T12:00:00Z":          "",
		"2026-07-01T12:00:00.Z":         "",
		"1998-12-31T23:59:61Z":          "",
		"1998-12-31T23:58:60Z":          "",
		"1998-12-31T22:59:60Z":          "",
		"1998-12-31T23:59:60+01:00":     "",
		"1998-12-30T23:59:60Z":          "",
		"\u0662026-07-01T12:00:00Z":     "",
	} {
		got, err := domain.ParseTime("time", text)
		if (err == nil) != (want != "") {
			t.Errorf("%s: %v, want %q", text, err, want)
		} else if err == nil && !got.Equal(mustTime(t, want)) {
			t.Errorf("%s is read as %s, want %s", text, domain.FormatTime(got), want)
		}
	}
}

func mustTime(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
