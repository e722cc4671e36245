package logtest

import (
	"errors"

	"github.com/hooktrail/hooktrail/domain"
)

// testFormat holds kinds of a later format out of a log until it is raised as far.
func testFormat(f *fixture) {
	const introduced = domain.Format + 2
	_, err := domain.AppendOne(f.Context(), f.log, group(creation(domain.InstanceTenant)))
	if err != nil && !errors.Is(err, domain.ErrConflict) {
		f.Fatal(err)
	}
	f.hooks.Introduce(f.T, f.log, domain.KindEventAppended, introduced)
	raise := func(format int) domain.Draft {
		return domain.Draft{
			Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamServer, ID: domain.NewUUID()},
			Fact: &domain.FormatRaised{Format: format},
		}
	}
	f.step("an older log refuses the kind", func(f *fixture) {
		f.refused(domain.ErrFormat, group(f.event()))
	})
	f.step("a format between the two is not enough", func(f *fixture) {
		f.append(group(raise(introduced - 1)))
		f.refused(domain.ErrFormat, group(raise(introduced), f.event()))
	})
	f.step("decided under the lock it is refused as well", func(f *fixture) {
		g := group(f.configure())
		g.Basis = &domain.Basis{Tenant: f.tenant, Decide: func([]domain.Entry) ([]domain.Draft, []domain.Fence, error) {
			return []domain.Draft{f.event()}, nil, nil
		}}
		f.append(group(f.configure()))
		f.refused(domain.ErrFormat, g)
	})
	f.step("a raised log takes it", func(f *fixture) {
		f.append(group(raise(introduced)))
		f.append(group(f.event()))
	})
}
