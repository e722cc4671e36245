package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	key         domain.UUID
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
		requests = append(requests, &request{group: group, began: now, call: c, index: i})
	}
	origins, err := l.originsOf(ctx, requests)
	if err != nil {
		return failAll(requests, err)
	}
	keys, err := l.keysOf(ctx, requests, now)
	if err != nil {
		return failAll(requests, err)
	}
	ready := requests[:0]
	for _, r := range requests {
		if err := l.prepareGroup(r, origins, keys); err != nil {
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

func (l *Log) prepareGroup(r *request, origins map[domain.TenantID]string, keys map[keyPurpose]*dataKey) error {
	r.drafts = make([]prepared, len(r.group.Drafts))
	for i := range r.group.Drafts {
		d := &r.group.Drafts[i]
		origin, ok := origins[d.Tenant]
		if !ok {
			return fmt.Errorf("append to %s of tenant %s: %w", d.Stream, d.Tenant, domain.ErrUnknownTenant)
		}
		p, err := l.prepareDraft(d, origin, keys[l.purpose(d, r.began)])
		if err != nil {
			return fmt.Errorf("append to %s: %w", d.Stream, err)
		}
		r.drafts[i] = p
		r.bytes += entryOverhead + len(p.content)
	}
	r.macs = make([][32]byte, len(r.group.Claims))
	for i, claim := range r.group.Claims {
		r.macs[i] = l.instance.claimMAC(claim)
	}
	return nil
}

func (l *Log) prepareDraft(d *domain.Draft, origin string, key *dataKey) (prepared, error) {
	kind := d.Fact.Kind()
	p := prepared{Draft: d, kind: kind, kindVersion: kind.Version(), origin: origin}
	parts, err := domain.EncodeFact(d.Fact)
	if err != nil {
		return p, err
	}
	if d.Reason != "" {
		parts = append(parts, domain.Part{Name: domain.PartReason, Bytes: []byte(d.Reason)})
	}
	if len(parts) == 0 {
		return p, nil
	}
	p.key = key.id
	p.commitments, p.content, err = l.codec.seal(key.aead, origin, parts)
	return p, err
}

func (l *Log) purpose(d *domain.Draft, now time.Time) keyPurpose {
	p := keyPurpose{tenant: d.Tenant, class: classOf(d.Fact.Kind()), month: month(now)}
	if d.Subject != "" {
		p.subject = string(l.instance.subjectMAC(d.Tenant, d.Subject))
	}
	return p
}

// keysOf finds the data keys of all drafts, making the missing ones by one statement.
func (l *Log) keysOf(ctx context.Context, requests []*request, now time.Time) (map[keyPurpose]*dataKey, error) {
	found := make(map[keyPurpose]*dataKey)
	var purposes []keyPurpose
	for _, r := range requests {
		for i := range r.group.Drafts {
			p := l.purpose(&r.group.Drafts[i], now)
			if _, ok := found[p]; !ok {
				found[p] = nil
				purposes = append(purposes, p)
			}
		}
	}
	keys, err := l.keys.forSealing(ctx, purposes)
	if err != nil {
		return nil, domainError("append", err)
	}
	for i, p := range purposes {
		found[p] = keys[i]
	}
	return found, nil
}

// originsOf finds the origins of the groups' tenants; that of a tenant which one of them creates is known before it is
// there. The appender checks under the lock that it came out so.
func (l *Log) originsOf(ctx context.Context, requests []*request) (map[domain.TenantID]string, error) {
	origins := make(map[domain.TenantID]string)
	var unknown []string
	for _, r := range requests {
		for i := range r.group.Drafts {
			tenant := r.group.Drafts[i].Tenant
			if _, ok := origins[tenant]; ok {
				continue
			}
			if origin, ok := l.origins.get(tenant); ok {
				origins[tenant] = origin
				continue
			}
			origins[tenant] = ""
			unknown = append(unknown, string(tenant))
		}
	}
	if len(unknown) == 0 {
		return origins, nil
	}
	for _, tenant := range unknown {
		delete(origins, domain.TenantID(tenant))
	}
	if err := l.readOrigins(ctx, unknown, origins); err != nil {
		return nil, domainError("read the tenants' origins", err)
	}
	for _, r := range requests {
		for i := range r.group.Drafts {
			d := &r.group.Drafts[i]
			if _, known := origins[d.Tenant]; !known && d.Fact.Kind() == domain.KindTenantCreated {
				origins[d.Tenant] = l.instance.origin(d.Tenant)
			}
		}
	}
	return origins, nil
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
		if len(name) > maxNameBytes || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			return errBadName
		}
	}
	return nil
}
