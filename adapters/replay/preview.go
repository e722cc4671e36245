package replay

import (
	"context"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// sampled is how many deliveries a preview shows.
const sampled = 10

// Previewer says what replays would do.
type Previewer struct {
	Log   Log
	State State
}

// Preview goes through all that a replay would, and counts what it would send and refuse. It appends nothing.
func (p Previewer) Preview(
	ctx context.Context, tenant domain.TenantID, config domain.ReplayConfig,
) (preview projections.ReplayPreview, err error) {
	err = p.State.Read(ctx, tenant, -1, func(reader projections.Reader) error {
		replay := projections.Replay{Replay: domain.Replay{
			ID: domain.NewUUID(), Tenant: tenant, Config: config, Through: domain.ReplayPlace{Sequence: config.From - 1},
		}}
		for {
			next, err := plan(ctx, p.Log, reader, &replay, maxSent, false)
			if err != nil {
				return err
			}
			for _, t := range next.sent[:min(len(next.sent), sampled-len(preview.Sample))] {
				preview.Sample = append(preview.Sample, projections.ReplaySample{Event: t.event, Endpoint: t.endpoint, Delivery: t.delivery})
			}
			replay.Through, replay.Counts = next.through, next.counts
			if next.done || next.problem != "" {
				preview.Counts, preview.Problem = next.counts, next.problem
				return nil
			}
		}
	})
	return preview, err
}
