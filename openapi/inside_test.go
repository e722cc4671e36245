package openapi

import (
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// TestReceiptAnswer_Deprecate: the header names the earliest time, which isn't the first of the texts.
func TestReceiptAnswer_Deprecate(t *testing.T) {
	t.Parallel()
	var a receiptAnswer
	a.deprecate("acme", map[domain.EventType]time.Time{"a.b": time.Unix(1_000_000_000, 0), "a.c": time.Unix(999_999_999, 0)})
	const links = `</v1/tenants/acme/event-types/a.b>; rel="deprecation", </v1/tenants/acme/event-types/a.c>; rel="deprecation"`
	if a.Deprecation != "@999999999" || a.Link != links {
		t.Errorf("Deprecation %s, Link %s", a.Deprecation, a.Link)
	}
	var none receiptAnswer
	if none.deprecate("acme", nil); none.Deprecation != "" || none.Link != "" {
		t.Errorf("without a deprecated type: %+v", none)
	}
}
