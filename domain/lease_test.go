package domain_test

import (
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// TestLeaseTaken_Partings: partings are written as they are here for ever, and a lease without any is written as before
// there were any.
func TestLeaseTaken_Partings(t *testing.T) {
	t.Parallel()
	const want = `{"node":"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d28","leases":[{"name":"shard/07","epoch":3,"partings":[` +
		`{"node":"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d29","epoch":2,"until":"2026-07-01T12:00:20Z"}]},{"name":"shard/08","epoch":1}]}`
	parts, err := domain.EncodeFact(&domain.LeaseTaken{Node: id(40), Leases: []domain.LeaseEpoch{
		{Name: "shard/07", Epoch: 3, Partings: []domain.Parting{
			{Node: id(41), Epoch: 2, Until: time.Date(2026, 7, 1, 12, 0, 20, 0, time.UTC)},
		}},
		{Name: "shard/08", Epoch: 1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(parts[0].Bytes); got != want {
		t.Errorf("a lease is written as\n%s, want\n%s", got, want)
	}
}
