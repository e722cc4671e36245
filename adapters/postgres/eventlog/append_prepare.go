package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/hooktrail/hooktrail/domain"
)

// entryOverhead is what a draft counts for in the bounds of queue and batch besides its content.
const entryOverhead = 1 << 10

// prepared is a draft with everything done that doesn't need the lock. The appender fills in the second half.
type prepared struct {
	*domain.Draft
	kind        domain.Kind
	kindVersion int
	origin      string // under which the content is sealed
	dataKey     *dataKey
	key         domain.UUID // zero: no content
	commitments []domain.Commitment
	content     []byte

	position      domain.Position
	sequence      domain.Sequence
	streamVersion int
	recordedAt    time.Time
	leaf          []byte
}

// prepare makes requests of the groups. A group that can't be appended whatever the log holds is answered at once.
func (l *Log) prepare(ctx context.Context, c *call, groups []domain.Group) []*request {
	l.queue.awaitBegin(ctx)
	requests := make([]*request, 0, len(groups))
	now := time.Now()
	for i, group := range groups {
		if err := validate(group); err != nil {
			c.answer(i, domain.Outcome{Err: err})
			continue
		}
		r := &request{group: group, drafts: make([]prepared, len(group.Drafts)), began: now, call: c, index: i}
		for n := range group.Drafts {
			kind := group.Drafts[n].Fact.Kind()
			r.drafts[n] = prepared{Draft: &group.Drafts[n], kind: kind, kindVersion: kind.Version()}
		}
		requests = append(requests, r)
	}
	if err := l.findOrigins(ctx, requests); err != nil {
		return failAll(requests, err)
	}
	requests = ofKnownTenants(requests)
	if err := l.findKeys(ctx, requests, month(now)); err != nil {
		return failAll(requests, err)
	}
	ready := requests[:0]
	for _, r := range requests {
		if err := l.prepareGroup(r); err != nil {
			r.fail(err)
			continue
		}
		ready = append(ready, r)
	}
	return ready
}

func failAll(requests []*request, err error) []*request {
	for _, r := range requests {
		r.fail(err)
	}
	return nil
}

// ofKnownTenants answers the requests with drafts whose tenants don't exist, before data keys are made for them.
func ofKnownTenants(requests []*request) []*request {
	known := requests[:0]
	for _, r := range requests {
		if err := r.unknownTenant(); err != nil {
			r.fail(err)
			continue
		}
		known = append(known, r)
	}
	return known
}

func (r *request) unknownTenant() error {
	for i := range r.drafts {
		if p := &r.drafts[i]; p.origin == "" {
			return fmt.Errorf("append to %s of tenant %s: %w", p.Stream, p.Tenant, domain.ErrUnknownTenant)
		}
	}
	return nil
}

func (l *Log) prepareGroup(r *request) error {
	for i := range r.drafts {
		p := &r.drafts[i]
		if err := l.sealDraft(p); err != nil {
			return fmt.Errorf("append to %s: %w", p.Stream, err)
		}
		r.bytes += entryOverhead + len(p.content)
	}
	r.macs, r.digests = make([][32]byte, len(r.group.Claims)), make([][32]byte, len(r.group.Claims))
	for i, claim := range r.group.Claims {
		r.macs[i], r.digests[i] = l.instance.claimMAC(claim), l.instance.claimDigest(claim)
	}
	return nil
}

func (l *Log) sealDraft(p *prepared) error {
	parts, err := domain.EncodeFact(p.Fact)
	if err != nil {
		return err
	}
	if p.Reason != "" {
		parts = append(parts, domain.Part{Name: domain.PartReason, Bytes: []byte(p.Reason)})
	}
	if len(parts) == 0 {
		return nil
	}
	p.key = p.dataKey.id
	p.commitments, p.content, err = l.codec.seal(p.dataKey.aead, p.origin, parts)
	return err
}

func purposeOf(d *domain.Draft, month string) keyPurpose {
	return keyPurpose{tenant: d.Tenant, subject: d.Subject, class: classOf(d.Fact.Kind()), month: month}
}

// findKeys gives each draft its data key, making the missing ones by one statement.
func (l *Log) findKeys(ctx context.Context, requests []*request, month string) error {
	var missing []keyPurpose
	var waiting []*prepared
	for _, r := range requests {
		for i := range r.drafts {
			p := &r.drafts[i]
			purpose := purposeOf(p.Draft, month)
			if p.dataKey = l.keys.cached(purpose); p.dataKey == nil {
				missing = append(missing, purpose)
				waiting = append(waiting, p)
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	keys, err := l.keys.forSealing(ctx, missing)
	if err != nil {
		return postgres.DomainError("append", err)
	}
	for i, p := range waiting {
		p.dataKey = keys[missing[i]]
	}
	return nil
}

// findOrigins gives each draft its tenant's origin, an empty one if there is no such tenant; that of a tenant which one of
// the groups creates is known before it is there. The appender checks under the lock that it came out so.
func (l *Log) findOrigins(ctx context.Context, requests []*request) error {
	var unknown []string
	var waiting []*prepared
	for _, r := range requests {
		for i := range r.drafts {
			p := &r.drafts[i]
			var known bool
			if p.origin, known = l.origins.get(p.Tenant); !known {
				unknown = append(unknown, string(p.Tenant))
				waiting = append(waiting, p)
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	origins := make(map[domain.TenantID]string)
	if err := l.readOrigins(ctx, unknown, origins); err != nil {
		return postgres.DomainError("read the tenants' origins", err)
	}
	for _, p := range waiting {
		if _, known := origins[p.Tenant]; !known && p.kind == domain.KindTenantCreated {
			origins[p.Tenant] = l.instance.origin(p.Tenant)
		}
	}
	for _, p := range waiting {
		p.origin = origins[p.Tenant]
	}
	return nil
}

func (l *Log) readOrigins(ctx context.Context, tenants []string, origins map[domain.TenantID]string) error {
	rows, err := l.pool.Query(ctx, `SELECT DISTINCT tenant, origin FROM heads WHERE tenant = ANY ($1)`, tenants)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var tenant domain.TenantID
		var origin string
		if err := rows.Scan(&tenant, &origin); err != nil {
			return err
		}
		origins[tenant] = origin
		l.origins.put(tenant, origin)
	}
	return rows.Err()
}

// maxNameBytes bounds tenants', streams' and leases' names, so that a leaf always stays below domain.MaxLeafBytes.
const maxNameBytes = 200

// validate refuses what no log can append, and what Postgres can't keep.
func validate(g domain.Group) error {
	if err := g.Validate(); err != nil {
		return err
	}
	for i := range g.Drafts {
		d := &g.Drafts[i]
		if err := validateNames(string(d.Tenant), string(d.Stream.Kind)); err != nil {
			return fmt.Errorf("append: draft %d: %w", i, err)
		}
		if d.Fact.Kind().Version() == 0 {
			return fmt.Errorf("append: draft %d: its kind is unknown", i)
		}
		if !utf8.ValidString(d.Reason) {
			return fmt.Errorf("append: draft %d: %w", i, domain.Invalid("reason", "must be UTF-8"))
		}
	}
	for i, t := range g.Takes {
		if err := validateNames(t.Lease); err != nil {
			return fmt.Errorf("append: take %d: %w", i, err)
		}
	}
	return nil
}

var errBadName = errors.New("a name is too long, or holds other characters than visible ASCII without quotes")

// validateNames takes visible ASCII that JSON doesn't escape.
func validateNames(names ...string) error {
	for _, name := range names {
		if len(name) > maxNameBytes {
			return errBadName
		}
		for i := range len(name) {
			if c := name[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
				return errBadName
			}
		}
	}
	return nil
}
