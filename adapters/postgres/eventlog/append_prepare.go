package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// entryOverhead is what a draft counts for in the bounds of queue and batch besides its content.
const entryOverhead = 1 << 10

// prepared is a draft with everything done that doesn't need the lock. The appender fills in the second half.
type prepared struct {
	*domain.Draft
	kind        domain.Kind
	kindVersion int
	origin      string // under which the content is sealed
	keys        seal.Keys
	packed      *seal.Packed // nil: no content
	fact        domain.Fact  // as it is kept: without what was sealed under a destroyed key
	content     []byte
	sealedAs    int // the stream version for which the content is sealed, 0: not yet

	position      domain.Position
	sequence      domain.Sequence
	streamVersion int
	recordedAt    time.Time
	leaf          []byte
	leafColumn    []byte
}

// drafter does with drafts what doesn't need the lock: it finds their origins and keys, encodes, commits, compresses
// and seals. It is safe for concurrent use.
type drafter struct {
	pool     *pgxpool.Pool
	name     string // of the instance, for tenants made from now on
	heads    headKey
	keys     *seal.Keyring
	codec    *seal.Codec
	origins  *originCache
	contexts sync.Pool // of *[]byte: what seals authenticate, while they are made
}

// prepare makes requests of the groups. A group that can't be appended whatever the log holds is answered at once.
func (l *Log) prepare(ctx context.Context, c *call, groups []domain.Group) []*request {
	l.queue.awaitBegin(ctx)
	requests := make([]*request, 0, len(groups))
	now := time.Now()
	for i, group := range groups {
		err := validate(group)
		if err == nil {
			err = l.format.check(ctx, l, &group)
		}
		if err != nil {
			c.answer(i, domain.Outcome{Err: err})
			continue
		}
		requests = append(requests, &request{group: group, drafts: newDrafts(group.Drafts), began: now, call: c, index: i})
	}
	if err := l.drafter.findOrigins(ctx, l.vital, requests); err != nil {
		return failAll(requests, err)
	}
	requests = ofKnownTenants(requests)
	if err := l.drafter.findKeys(ctx, l.vital, requests, now); err != nil {
		return failAll(requests, err)
	}
	ready := requests[:0]
	for _, r := range requests {
		if err := l.drafter.prepareGroup(r); err != nil {
			r.fail(err)
			continue
		}
		ready = append(ready, r)
	}
	return ready
}

func newDrafts(drafts []domain.Draft) []prepared {
	made := make([]prepared, len(drafts))
	for i := range drafts {
		kind := drafts[i].Fact.Kind()
		made[i] = prepared{Draft: &drafts[i], kind: kind, kindVersion: kind.Version(), fact: drafts[i].Fact}
	}
	return made
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

func (d *drafter) prepareGroup(r *request) error {
	r.bytes = 0
	for i := range r.drafts {
		p := &r.drafts[i]
		if err := d.packDraft(p); err != nil {
			return fmt.Errorf("append to %s: %w", p.Stream, err)
		}
		if p.packed != nil {
			r.bytes += p.packed.Size()
		}
		r.bytes += entryOverhead
	}
	return r.keyClaims()
}

// packDraft does with the content what can be done before the lock: all of it, if the stream's version is foreseen.
func (d *drafter) packDraft(p *prepared) error {
	if p.keys.Problem != nil {
		return p.keys.Problem
	}
	parts, err := domain.EncodeFact(p.Fact)
	if err != nil {
		return err
	}
	if p.Reason != "" {
		parts = append(parts, domain.Part{Name: domain.PartReason, Bytes: []byte(p.Reason)})
	}
	if p.Context != nil {
		b, err := json.Marshal(p.Context)
		if err != nil {
			return fmt.Errorf("encode the context: %w", err)
		}
		parts = append(parts, domain.Part{Name: domain.PartContext, Bytes: b})
	}
	if p.packed, err = d.codec.Pack(parts, &p.keys); err != nil || p.packed == nil {
		return err
	}
	p.fact, p.sealedAs = p.Fact, 0
	if p.packed.Erased {
		if p.fact, err = domain.DecodeFact(p.kind, p.kindVersion, p.packed.Kept, true); err != nil {
			return err
		}
	}
	if p.Expected == domain.AnyVersion {
		return nil
	}
	return d.sealDraft(p, p.Expected+1)
}

// sealDraft seals the content of a draft that becomes a version of its stream.
func (d *drafter) sealDraft(p *prepared, version int) (err error) {
	if p.packed == nil || p.sealedAs == version {
		return nil
	}
	p.streamVersion = version
	leaf := p.leafSoFar()
	buffer, _ := d.contexts.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	*buffer = leaf.AppendContext((*buffer)[:0])
	p.content, err = d.codec.Seal(p.packed, &p.keys, *buffer)
	p.sealedAs = version
	d.contexts.Put(buffer)
	return err
}

// leafSoFar is the entry's leaf; before it is numbered, without sequence and time.
func (p *prepared) leafSoFar() domain.Leaf {
	leaf := domain.Leaf{
		Origin: p.origin, Sequence: p.sequence, Kind: p.kind, KindVersion: p.kindVersion, Critical: p.kind.Critical(),
		Stream: p.Stream, StreamVersion: p.streamVersion, By: p.By, RecordedAt: p.recordedAt, Cause: p.Cause,
	}
	if p.packed != nil {
		leaf.DataKey, leaf.Commitments = p.keys.Period.ID, p.packed.Commitments
	}
	return leaf
}

// classConfiguration is the retention class of everything but events and what becomes of them: ending the one must not
// blind the other.
const classConfiguration = "configuration"

func classOf(d *domain.Draft) string {
	switch kind := d.Fact.Kind(); {
	case d.Retention != "":
		return d.Retention
	case strings.HasPrefix(string(kind), "event."), strings.HasPrefix(string(kind), "delivery."):
		return domain.RetentionDefault
	}
	return classConfiguration
}

// findKeys gives each draft the keys of its content.
func (d *drafter) findKeys(ctx context.Context, db postgres.Querier, requests []*request, now time.Time) error {
	n := 0
	for _, r := range requests {
		n += len(r.drafts)
	}
	wants, month := make([]seal.Want, 0, n), seal.Month(now)
	for _, r := range requests {
		for i := range r.drafts {
			of := r.drafts[i].Draft
			wants = append(wants, seal.Want{
				Tenant: of.Tenant, Subject: of.Subject, SubjectKey: of.SubjectKey, Class: classOf(of), Month: month,
			})
		}
	}
	keys, err := d.keys.Find(ctx, db, wants)
	if err != nil {
		return postgres.DomainError("append", err)
	}
	for _, r := range requests {
		for i := range r.drafts {
			r.drafts[i].keys, keys = keys[0], keys[1:]
		}
	}
	return nil
}

// findOrigins gives each draft its tenant's origin, an empty one if there is no such tenant; that of a tenant which one
// of the groups creates is known before it is there. The appender checks under the lock that it came out so.
func (d *drafter) findOrigins(ctx context.Context, db postgres.Querier, requests []*request) error {
	var unknown []string
	var waiting []*prepared
	for _, r := range requests {
		for i := range r.drafts {
			p := &r.drafts[i]
			var known bool
			if p.origin, known = d.origins.get(p.Tenant); !known {
				unknown = append(unknown, string(p.Tenant))
				waiting = append(waiting, p)
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	origins := make(map[domain.TenantID]string)
	if err := d.readOrigins(ctx, db, unknown, origins); err != nil {
		return postgres.DomainError("read the tenants' origins", err)
	}
	for _, p := range waiting {
		if _, known := origins[p.Tenant]; !known && p.kind == domain.KindTenantCreated {
			origins[p.Tenant] = d.name + "/" + string(p.Tenant)
		}
	}
	for _, p := range waiting {
		p.origin = origins[p.Tenant]
	}
	return nil
}

func (d *drafter) readOrigins(
	ctx context.Context, db postgres.Querier, tenants []string, origins map[domain.TenantID]string,
) error {
	const sql = `SELECT DISTINCT tenant, origin FROM heads WHERE tenant = ANY ($1)`
	rows, err := db.Query(ctx, sql, tenants) //nolint:rowserrcheck // pgx.ForEachRow checks it
	if err != nil {
		return err
	}
	var tenant domain.TenantID
	var origin string
	if _, err := pgx.ForEachRow(rows, []any{&tenant, &origin}, func() error {
		origins[tenant] = origin
		return nil
	}); err != nil {
		return err
	}
	for tenant, origin := range origins {
		if err := checkHead(ctx, db, d.heads, tenant); err != nil {
			return err
		}
		d.origins.put(tenant, origin)
	}
	return nil
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
		if err := validateNames(string(d.Tenant), string(d.Stream.Kind), d.Retention); err != nil {
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
