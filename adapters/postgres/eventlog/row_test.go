package eventlog

import (
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
)

// What a newer program wrote is neither damaged nor erased: who reads it decides by Critical and the version.
func TestTake_Unknown(t *testing.T) {
	t.Parallel()
	part := domain.Part{Name: domain.PartDecision, Bytes: []byte(`{"reason":"tenant_deleted"}`)}
	for _, unknown := range []struct {
		kind    domain.Kind
		version int
		fact    bool
	}{
		{domain.KindDeliveryCancelled, 1, true}, {domain.KindDeliveryCancelled, 2, false}, {"clock.stepped", 1, false},
	} {
		e := domain.Entry{Kind: unknown.kind, KindVersion: unknown.version}
		take(&e, &seal.Content{Parts: []domain.Part{part, {Name: domain.PartReason, Bytes: []byte("why")}}})
		if (e.Fact != nil) != unknown.fact || e.Damaged || e.Erased || e.Reason != "why" {
			t.Errorf("%s version %d reads as %+v", unknown.kind, unknown.version, e)
		}
	}
	e := domain.Entry{Kind: domain.KindDeliveryCancelled, KindVersion: 1}
	take(&e, &seal.Content{Parts: []domain.Part{{Name: domain.PartDecision, Bytes: []byte(`{`)}}})
	if !e.Damaged || e.Fact != nil {
		t.Errorf("a content that isn't JSON reads as %+v", e)
	}
}
