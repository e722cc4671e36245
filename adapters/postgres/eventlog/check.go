package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// CheckOptions are those of CheckLog. The zero value checks everything.
type CheckOptions struct {
	// After is a position up to which an earlier check has found everything right: this one goes on behind it. Tables
	// beside the entries are checked whole. That a commitment occurs once is only checked among the entries behind the
	// position.
	After domain.Position
	// Progress is called now and then with the position up to which everything is right, and that of the last entry.
	// Nil: no.
	Progress func(checked, last domain.Position)
}

// CheckLog reads the log, as it is when the check begins, and computes everything again: positions, sequences, stream
// versions, times, leaves, contents against their commitments, tiles, roots, and what the tables beside the entries
// say. The error names the first thing that is wrong. It returns the position of the last entry that it checked. What
// it keeps in memory doesn't grow with the log.
func CheckLog(ctx context.Context, l *Log, options CheckOptions) (domain.Position, error) {
	tx, err := l.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return 0, postgres.DomainError("check the log", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // it only read
	c := newCheck(l, tx, options)
	defer c.commitments.close()
	if err := c.all(ctx); err != nil {
		return c.position, fmt.Errorf("check the log: %w", err)
	}
	return c.position, nil
}

func newCheck(l *Log, tx pgx.Tx, options CheckOptions) *logCheck {
	return &logCheck{
		log: l, tx: tx, options: options, trees: make(map[domain.TenantID]*treeCheck),
		leases: make(map[string]domain.Lease), commitments: newUniqueCheck(),
	}
}

// logCheck is one run over the log. What it keeps of each tenant's tree is the frontier and the tiles that aren't full.
type logCheck struct {
	log         *Log
	tx          pgx.Tx
	options     CheckOptions
	head        tenantHead // the instance's
	position    domain.Position
	recordedAt  time.Time
	trees       map[domain.TenantID]*treeCheck
	leases      map[string]domain.Lease // as the facts say
	commitments *uniqueCheck
	damaged     []damagedEntry // of which the log hasn't said yet that somebody goes on without their contents
}

// damagedEntry is one whose content doesn't open, with what a damage.accepted is to say of it.
type damagedEntry struct {
	tenant   domain.TenantID
	position domain.Position
	damage   domain.Damage
	problem  error
}

// maxDamaged bounds the entries for which a check waits for such a fact.
const maxDamaged = 10_000

// treeCheck is a tenant's log as far as it is checked.
type treeCheck struct {
	tree          *tree
	origin        string
	configuration domain.Sequence
	deleted       bool
	claims        claimTally // as the head says
}

func (c *logCheck) all(ctx context.Context) error {
	if err := postgres.NoTimeout(ctx, c.tx); err != nil {
		return err
	}
	for _, check := range []func(context.Context) error{c.readHead, c.resume, c.entries} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	if len(c.damaged) > 0 {
		d := &c.damaged[0]
		return fmt.Errorf("entry at position %d, sequence %d of tenant %s (%d such entries): %w",
			d.position, d.damage.Sequence, d.tenant, len(c.damaged), d.problem)
	}
	for _, check := range []func(context.Context, *logCheck) error{
		checkHeads, checkTileCount, checkSecrets, checkClaims, checkLeases, checkInstanceName,
	} {
		if err := check(ctx, c); err != nil {
			return err
		}
	}
	return c.commitments.check()
}

func (c *logCheck) readHead(ctx context.Context) error {
	number := 0
	err := c.eachHead(ctx, `tenant = ''`, func(_ domain.TenantID, h *tenantHead) error {
		c.head = *h
		number++
		return nil
	})
	switch {
	case err != nil:
		return err
	case number > 1:
		return errors.New("the instance has several heads")
	case int64(c.head.position) != c.head.size:
		return errors.New("the instance's head has another size than position")
	case c.head.position < c.options.After:
		return fmt.Errorf("the log ends at position %d, and is said to be checked up to %d", c.head.position, c.options.After)
	}
	return nil
}

// eachHead reads the heads for which a condition holds.
func (c *logCheck) eachHead(ctx context.Context, condition string, f func(domain.TenantID, *tenantHead) error) error {
	rows, err := c.tx.Query(ctx, `SELECT `+headColumns+` FROM heads h WHERE `+condition)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		tenant, h, err := c.log.heads.scan(rows)
		if err != nil {
			return err
		}
		if err := f(tenant, h); err != nil {
			return err
		}
	}
	return rows.Err()
}

// resume begins behind a position: with the trees that tiles and leaves give up to there.
func (c *logCheck) resume(ctx context.Context) error {
	if c.options.After == 0 {
		return nil
	}
	c.position = c.options.After
	const last = `SELECT recorded_at FROM entries WHERE position = $1`
	if err := c.tx.QueryRow(ctx, last, int64(c.position)).Scan(&c.recordedAt); err != nil {
		return fmt.Errorf("read the entry at position %d: %w", c.position, err)
	}
	heads := make(map[domain.TenantID]*tenantHead)
	if err := c.eachHead(ctx, `tenant <> ''`, func(tenant domain.TenantID, h *tenantHead) error {
		heads[tenant] = h
		return nil
	}); err != nil {
		return err
	}
	for tenant, head := range heads {
		size, err := sizeAt(ctx, c.tx, tenant, head.size, c.position)
		if err != nil {
			return fmt.Errorf("tenant %s: %w", tenant, err)
		}
		if size == 0 {
			continue
		}
		frontier, err := frontierOf(ctx, c.tx, tenant, size)
		if err != nil {
			return fmt.Errorf("tenant %s: %w", tenant, err)
		}
		check := &treeCheck{origin: head.origin}
		if check.tree, err = newTree(size, frontier, nil); err != nil {
			return err
		}
		const configSQL = `
			SELECT coalesce(max(sequence) FILTER (WHERE kind NOT IN ('tenant.registered', 'tenant.unregistered')), 0),
			       coalesce(bool_or(kind = 'tenant.deleted'), false)
			  FROM entries WHERE tenant = $1 AND sequence < $2 AND stream_kind IN ('tenant', 'endpoint', 'subscription')`
		err = c.tx.QueryRow(ctx, configSQL, string(tenant), size).Scan(&check.configuration, &check.deleted)
		if err != nil {
			return err
		}
		c.trees[tenant] = check
	}
	return c.earlierLeases(ctx)
}

// earlierLeases notes what the log up to where the check begins says of leases. The instance's own log is short beside
// the tenants'.
func (c *logCheck) earlierLeases(ctx context.Context) error {
	for after := int64(-1); ; {
		const sql = `
			SELECT ` + entryColumnsSQL + ` FROM entries
			 WHERE tenant = $1 AND sequence > $2 AND kind = $3 AND position <= $4 ORDER BY sequence LIMIT 500`
		rows, err := c.tx.Query(ctx, sql, string(domain.InstanceTenant), after, string(domain.KindLeaseTaken), int64(c.position))
		if err != nil {
			return err
		}
		sealed, err := readRows(rows)
		if err != nil || len(sealed) == 0 {
			return err
		}
		entries, err := c.log.openEntries(ctx, c.tx, sealed)
		if err != nil {
			return err
		}
		for i := range entries {
			if entries[i].Damaged {
				return fmt.Errorf("entry at position %d: its content is damaged", entries[i].Position)
			}
			if taken, ok := entries[i].Fact.(*domain.LeaseTaken); ok {
				c.noteLeases(taken)
			}
		}
		after = int64(entries[len(entries)-1].Sequence)
	}
}

// checkPage bounds what is in memory at a time, together with maxPageBytes.
const checkPage = 2_000

func (c *logCheck) entries(ctx context.Context) error {
	for {
		rows, err := c.tx.Query(ctx, logPageSQL, int64(c.position), checkPage, maxPageBytes, int64(c.position)+checkPage)
		if err != nil {
			return err
		}
		sealed, err := readRows(rows)
		if err != nil || len(sealed) == 0 {
			return err
		}
		before := c.position
		if err := c.page(ctx, sealed); err != nil {
			return err
		}
		if err := c.versions(ctx, before); err != nil {
			return err
		}
		if c.options.Progress != nil && len(c.damaged) == 0 {
			c.options.Progress(c.position, c.head.position)
		}
	}
}

func (c *logCheck) page(ctx context.Context, sealed []sealedEntry) error {
	leaves, contents := make([]domain.Leaf, len(sealed)), make([]seal.Content, len(sealed))
	at := func(i int, err error) error {
		return fmt.Errorf("entry at position %d: %w", sealed[i].Position, err)
	}
	var err error
	with := contents[:0]
	of := make([]int, 0, len(sealed))
	for i := range sealed {
		e := &sealed[i]
		if e.wrong != nil {
			return at(i, e.wrong)
		}
		if leaves[i], err = domain.ParseLeaf(e.Leaf); err != nil {
			return at(i, err)
		}
		if err := c.entry(e, &leaves[i]); err != nil {
			return at(i, err)
		}
		if e.content == nil {
			continue
		}
		with = append(with, seal.Content{
			Tenant: e.Tenant, Period: e.key, LeafContext: leaves[i].AppendContext(nil), Sealed: e.content,
		})
		of = append(of, i)
	}
	if err := c.log.codec.OpenAll(ctx, c.tx, with); err != nil {
		return err
	}
	for n := range with {
		if err := c.content(&sealed[of[n]], &with[n], &leaves[of[n]]); err != nil {
			return at(of[n], err)
		}
	}
	return c.tiles(ctx)
}

// entry checks what can be said of an entry without its content, and adds its leaf to the tenant's tree.
func (c *logCheck) entry(e *sealedEntry, leaf *domain.Leaf) error {
	switch {
	case e.Position != c.position+1:
		return fmt.Errorf("comes after position %d", c.position)
	case !e.RecordedAt.After(c.recordedAt):
		return errors.New("isn't recorded later than the one before")
	}
	names := make([]string, len(leaf.Commitments))
	for i := range leaf.Commitments {
		names[i] = leaf.Commitments[i].Part
		if err := c.commitments.add(e.Tenant, leaf.Commitments[i].Value); err != nil {
			return err
		}
	}
	switch {
	case e.content == nil && len(names) > 0:
		return errors.New("its content is missing, to which the leaf commits")
	case e.content != nil && len(names) == 0:
		return errors.New("it has a content to which the leaf doesn't commit")
	case creates(e.Kind) && e.StreamVersion != 1:
		return fmt.Errorf("%s as version %d of %s: a thing is created once", e.Kind, e.StreamVersion, e.Stream)
	case (e.Sequence == 0) != (e.Kind == domain.KindTenantCreated):
		return fmt.Errorf("%s at sequence %d of tenant %s", e.Kind, e.Sequence, e.Tenant)
	}
	// What was appended about an erased person has no personal parts: c.content knows.
	if name := domain.MissingPart(e.Kind, e.KindVersion, names); name != "" && !(domain.Part{Name: name}).Personal() {
		return fmt.Errorf("part %s is missing", name)
	}
	if err := c.leaf(e, leaf.Origin); err != nil {
		return err
	}
	c.position, c.recordedAt = e.Position, e.RecordedAt
	return nil
}

// creates reports whether a kind begins a stream.
func creates(kind domain.Kind) bool {
	switch kind {
	case domain.KindEventAppended, domain.KindEventTypeRegistered, domain.KindProfileAdded:
		return true
	}
	return strings.HasSuffix(string(kind), ".created")
}

func (c *logCheck) leaf(e *sealedEntry, origin string) (err error) {
	t := c.trees[e.Tenant]
	if t == nil {
		t = &treeCheck{origin: origin}
		if t.tree, err = newTree(0, nil, nil); err != nil {
			return err
		}
		c.trees[e.Tenant] = t
	}
	switch {
	case origin != t.origin:
		return fmt.Errorf("origin %s, expected %s", origin, t.origin)
	case int64(e.Sequence) != t.tree.size():
		return fmt.Errorf("sequence %d of tenant %s, expected %d", e.Sequence, e.Tenant, t.tree.size())
	}
	if e.Kind.Configures() {
		t.configuration = e.Sequence
	}
	t.deleted = t.deleted || e.Kind == domain.KindTenantDeleted
	return t.tree.add(e.Position, e.Leaf)
}

func (c *logCheck) content(e *sealedEntry, content *seal.Content, leaf *domain.Leaf) error {
	switch content.State {
	case seal.Damaged:
		if len(c.damaged) == maxDamaged {
			return content.Problem
		}
		c.damaged = append(c.damaged, damagedEntry{e.Tenant, e.Position, e.damage(), content.Problem})
		return nil
	case seal.Erased:
		return nil
	}
	made, names := make(map[string]domain.Commitment, len(content.Parts)), make([]string, 0, len(content.Parts))
	for i, p := range content.Parts {
		if _, twice := made[p.Name]; twice {
			return fmt.Errorf("part %s is there twice", p.Name)
		}
		made[p.Name] = domain.Commit(p.Name, content.Salts[i], p.Bytes)
		names = append(names, p.Name)
	}
	missing := 0
	for _, want := range leaf.Commitments {
		have, ok := made[want.Part]
		switch {
		case !ok && content.State == seal.SubjectErased && (domain.Part{Name: want.Part}).Personal():
			missing++
		case !ok:
			return fmt.Errorf("part %s is missing, to which the leaf commits", want.Part)
		case have != want:
			return fmt.Errorf("part %s isn't what the leaf commits to", want.Part)
		}
	}
	if len(made)+missing != len(leaf.Commitments) {
		return fmt.Errorf("%d parts, but %d commitments", len(made)+missing, len(leaf.Commitments))
	}
	if content.State == seal.Whole {
		if name := domain.MissingPart(e.Kind, e.KindVersion, names); name != "" {
			return fmt.Errorf("part %s is missing", name)
		}
	}
	return c.note(e, content)
}

// note takes notice of what the log says of leases and of damaged entries.
func (c *logCheck) note(e *sealedEntry, content *seal.Content) error {
	if e.Kind != domain.KindLeaseTaken && e.Kind != domain.KindDamageAccepted || e.KindVersion > e.Kind.Version() {
		return nil
	}
	fact, err := domain.DecodeFact(e.Kind, e.KindVersion, content.Parts, content.State == seal.SubjectErased)
	if err != nil {
		return err
	}
	switch fact := fact.(type) {
	case *domain.LeaseTaken:
		c.noteLeases(fact)
	case *domain.DamageAccepted:
		c.damaged = slices.DeleteFunc(c.damaged, func(d damagedEntry) bool { return d.tenant == e.Tenant && d.damage == fact.Damage })
	}
	return nil
}

func (c *logCheck) noteLeases(taken *domain.LeaseTaken) {
	for _, lease := range taken.Leases {
		c.leases[lease.Name] = domain.Lease{
			Name: lease.Name, Owner: taken.Node, Epoch: lease.Epoch, Partings: lease.Partings,
		}
	}
}

// versions checks that each entry of a page has the next version of its stream: the one before it is there, at a lower
// position, and the version itself only once. So no stream has to be remembered. The tenant is compared in a form that
// no index serves: Postgres, as long as it has no statistics, would go along the tenant's sequences for each entry.
func (c *logCheck) versions(ctx context.Context, before domain.Position) error {
	const sql = `
		SELECT e.position, e.stream_version FROM entries e
		 WHERE e.position > $1 AND e.position <= $2
		   AND (SELECT count(*) FROM entries p
		         WHERE p.stream = e.stream AND (p.tenant, p.stream_kind) IS NOT DISTINCT FROM (e.tenant, e.stream_kind)
		           AND (p.stream_version = e.stream_version
		             OR p.stream_version = e.stream_version - 1 AND p.position < e.position))
		       <> CASE e.stream_version WHEN 1 THEN 1 ELSE 2 END
		 ORDER BY e.position LIMIT 1`
	var position domain.Position
	var version int
	err := c.tx.QueryRow(ctx, sql, int64(before), int64(c.position)).Scan(&position, &version)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("entry at position %d: version %d of its stream doesn't follow on", position, version)
}

// tiles compares the tiles that became full with those that are kept.
func (c *logCheck) tiles(ctx context.Context) error {
	for tenant, t := range c.trees {
		for i := range t.tree.full {
			full := &t.tree.full[i]
			if err := full.complete(ctx, c.tx, tenant); err != nil {
				return fmt.Errorf("tenant %s: %w", tenant, err)
			}
			var kept []byte
			var position domain.Position
			const sql = `SELECT hashes, position FROM tiles WHERE tenant = $1 AND level = $2 AND index = $3`
			err := c.tx.QueryRow(ctx, sql, string(tenant), full.level, full.index).Scan(&kept, &position)
			if errors.Is(err, pgx.ErrNoRows) {
				return fmt.Errorf("tile %d/%d of tenant %s is missing", full.level, full.index, tenant)
			}
			if err != nil {
				return err
			}
			if string(kept) != string(full.bytes()) || position != full.position {
				return fmt.Errorf("tile %d/%d of tenant %s isn't that of the entries", full.level, full.index, tenant)
			}
		}
		t.tree.full = nil
	}
	return nil
}
