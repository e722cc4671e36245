package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

// TestLog_NewSubjectsOfManyAtOnce: batches that bring the same new subjects in different orders make their data keys at
// the same time. In different orders Postgres had them wait for each other, and ended one of them as a deadlock.
func TestLog_NewSubjectsOfManyAtOnce(t *testing.T) {
	t.Parallel()
	log := open(t, func(c *postgres.Config) { c.ReadConnections = 8 })
	for round := range 4 {
		var producers sync.WaitGroup
		for range 8 {
			producers.Go(func() {
				drafts := make([]domain.Draft, 300)
				for i, subject := range rand.Perm(len(drafts)) {
					drafts[i] = event(`{}`)
					drafts[i].Subject = fmt.Sprintf("customer/%d/%d", round, subject)
				}
				if err := log.Append(t.Context(), group(drafts...))[0].Err; err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		producers.Wait()
	}
	log.check(t)
}
