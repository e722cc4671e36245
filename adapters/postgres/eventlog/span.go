package eventlog

import (
	"context"
	"math"

	"github.com/hooktrail/hooktrail/domain"
)

// span is where a tenant's entries of some sequences are, as the function says that it calls. A log of few partitions is
// spared the look-up.
func (r *reader) span(
	ctx context.Context, tenant domain.TenantID, from, to int64,
) (after, upTo domain.Position, err error) {
	if head, _ := r.growth.look(); head > 0 && head < 4*partitionWidth {
		return domain.Position(max(from, 0)), math.MaxInt64, nil
	}
	return span(ctx, r.pool, tenant, from, to)
}
