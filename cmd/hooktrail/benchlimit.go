package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// measureLimit signs and sends the same requests, by the same code, to the same receiver, with no log at all: what the
// machine could deliver if a record cost nothing.
func (b *bench) measureLimit(ctx context.Context, d time.Duration) (requests int64, took time.Duration, err error) {
	profiles, err := webhook.Embedded()
	if err != nil {
		return 0, 0, err
	}
	profile := profiles.Named("standard-webhooks")
	key, err := profile.ParseKey(domain.NewUUID(), profile.NewSigningKey())
	if err != nil {
		return 0, 0, err
	}
	target, err := webhook.NewTarget(webhook.TargetConfig{
		Profile: profile, URL: b.receiver.base + "/", Keys: []*webhook.Key{key}, UserAgent: "Hooktrail/" + version,
	})
	if err != nil {
		return 0, 0, err
	}
	guard := webhook.NewGuard(
		webhook.GuardConfig{Allow: []webhook.EgressRule{{Prefix: netip.MustParsePrefix("127.0.0.0/8")}}},
	)
	sender, err := webhook.NewSender(webhook.SenderConfig{Guard: guard})
	if err != nil {
		return 0, 0, err
	}
	defer sender.Close()
	var sent atomic.Int64
	started := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for worker := range b.Parallel {
		group.Go(func() error {
			random := rand.New(rand.NewPCG(uint64(worker), 3)) //nolint:gosec // the same events in every run
			event := webhook.Event{Tenant: "default", Type: "bench.delivered", SchemaVersion: "v1", Data: benchData(random, 0)}
			for time.Since(started) < d && ctx.Err() == nil {
				event.InternalID, event.OccurredAt = domain.NewUUID(), time.Now()
				request, err := target.Build(&event, webhook.Attempt{Number: 1, At: time.Now()})
				if err != nil {
					return err
				}
				if result := sender.Send(ctx, request, 10*time.Second); result.StatusCode != http.StatusOK {
					return fmt.Errorf("the receiver answered %d (%s)", result.StatusCode, result.Error)
				}
				sent.Add(1)
			}
			return nil
		})
	}
	err = group.Wait()
	return sent.Load(), time.Since(started), err
}
