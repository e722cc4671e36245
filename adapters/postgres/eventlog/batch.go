// Watermill is here by decision, for its Publisher (see schema.go): it inserts the entries in the batch's transaction.

package eventlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// batch is what one transaction appends.
type batch struct {
	admitted []*request
	rejected []*request // with their rejected errors
	repeated []*request // whose claims an admitted group makes
	entries  int
	position domain.Position // of the last entry
	stage    *stage
	made     []*seal.Secret // candidates that the transaction inserts
	heads    map[domain.TenantID]*tenantHead
	trees    map[domain.TenantID]*tree
}

// numberAndClaim decides on every group and claims what the admitted ones claim, a second time without those whose
// claims turn out to be taken.
func (t *transaction) numberAndClaim(ctx context.Context, requests []*request) (*batch, error) {
	for {
		b, err := t.decide(ctx, requests)
		if err != nil {
			return nil, err
		}
		free, err := insertClaims(ctx, t.tx, b.admitted, t.checked.clock)
		if err != nil {
			return nil, fmt.Errorf("claim: %w", err)
		}
		if free {
			return b, nil
		}
		if t.checked.claimed != nil {
			return nil, errors.New("claim: a claim is taken that isn't there")
		}
		if t.checked.claimed, err = lookUpClaims(ctx, t.tx, requests); err != nil {
			return nil, fmt.Errorf("look up claims: %w", err)
		}
	}
}

// integrate finishes the leaves and adds them to their tenants' trees.
func (b *batch) integrate(ctx context.Context, tx pgx.Tx, base *state) error {
	b.trees = make(map[domain.TenantID]*tree)
	b.heads = make(map[domain.TenantID]*tenantHead)
	last := make(map[domain.TenantID]*prepared)
	leaves, columns := make([]byte, 0, b.entries*640), make([]byte, 0, b.entries*256)
	for _, r := range b.admitted {
		for i := range r.drafts {
			p := &r.drafts[i]
			t, err := b.tree(p.Tenant, base)
			if err != nil {
				return err
			}
			leaf := p.leafSoFar()
			begin := len(leaves)
			leaves = leaf.Append(leaves)
			p.leaf = leaves[begin:len(leaves):len(leaves)]
			begin = len(columns)
			columns = appendLeafColumn(columns, &leaf, p.Tenant)
			p.leafColumn = columns[begin:len(columns):len(columns)]
			if err := t.add(p.position, p.leaf); err != nil {
				return fmt.Errorf("integrate an entry of tenant %s: %w", p.Tenant, err)
			}
			last[p.Tenant] = p
		}
	}
	claims := make(map[domain.TenantID]claimTally)
	for tenant := range b.trees {
		if known := base.heads[tenant]; known != nil {
			claims[tenant] = known.claims
		}
	}
	for _, r := range b.admitted {
		for i := range r.group.Claims {
			tally := claims[r.group.Claims[i].Tenant]
			tally.add(r.macs[i])
			claims[r.group.Claims[i].Tenant] = tally
		}
	}
	for tenant, t := range b.trees {
		for i := range t.full {
			if err := t.full[i].complete(ctx, tx, tenant); err != nil {
				return fmt.Errorf("tenant %s: %w", tenant, err)
			}
		}
		staged := b.stage.tenants[tenant]
		b.heads[tenant] = &tenantHead{
			position: last[tenant].position, size: t.size(), recordedAt: b.stage.recordedAt, configuration: staged.configuration,
			claims: claims[tenant], deleted: staged.deleted, origin: staged.origin, frontier: t.bytes(), tails: t.tails,
		}
	}
	return nil
}

func (b *batch) tree(tenant domain.TenantID, base *state) (*tree, error) {
	if t := b.trees[tenant]; t != nil {
		return t, nil
	}
	var head tenantHead
	if known := base.heads[tenant]; known != nil {
		head = *known
	}
	t, err := newTree(head.size, head.frontier, head.tails)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", tenant, err)
	}
	b.trees[tenant] = t
	return t, nil
}

// write sends everything that the batch adds, and the COMMIT, in one pipeline. Entries go through Watermill's
// Publisher.
func (t *transaction) write(ctx context.Context, b *batch) error {
	var pipeline pgx.Batch
	b.queueSecrets(&pipeline)
	b.queueHeads(&pipeline, t.log.heads) // before the entries, which the database takes only if they lead to these heads
	publisher, err := sql.NewPublisher(pipelined{&pipeline}, sql.PublisherConfig{SchemaAdapter: entrySchema{}}, nil)
	if err != nil {
		return err
	}
	messages := make([]*message.Message, 0, b.entries)
	for _, r := range b.admitted {
		for i := range r.drafts {
			messages = append(messages, entryMessage(ctx, &r.drafts[i]))
		}
	}
	if err := publisher.Publish(topic, messages...); err != nil {
		return err
	}
	b.queueTiles(&pipeline)
	b.queueOldHeads(&pipeline, t.state)
	b.queueLeases(&pipeline)
	if !t.log.neighbours.none() {
		pipeline.Queue(`SELECT pg_notify($1, $2::bigint::text)`, notifyChannel, int64(b.position))
	}
	pipeline.Queue(`COMMIT`)
	return t.tx.SendBatch(ctx, &pipeline).Close()
}

func (b *batch) queueTiles(pipeline *pgx.Batch) {
	var tenants []string
	var levels []int16
	var indexes, positions []int64
	var hashes [][]byte
	for tenant, t := range b.trees {
		for _, full := range t.full {
			tenants = append(tenants, string(tenant))
			levels = append(levels, int16(full.level))
			indexes = append(indexes, full.index)
			positions = append(positions, int64(full.position))
			hashes = append(hashes, full.bytes())
		}
	}
	if len(tenants) == 0 {
		return
	}
	const sql = `
		INSERT INTO tiles (tenant, level, index, position, hashes)
		SELECT * FROM unnest($1::text[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bytea[])`
	pipeline.Queue(sql, tenants, levels, indexes, positions, hashes)
}

// queueSecrets inserts the secrets under which the batch seals first.
func (b *batch) queueSecrets(pipeline *pgx.Batch) {
	seen := make(map[*seal.Secret]bool)
	b.made = nil
	for _, r := range b.admitted {
		for i := range r.drafts {
			keys := &r.drafts[i].keys
			for _, s := range [...]*seal.Secret{keys.Tenant, keys.Period, keys.Subject} {
				if s != nil && !seen[s] && b.stage.checked.free[s] {
					b.made = append(b.made, s)
				}
				seen[s] = true
			}
		}
	}
	n := len(b.made)
	if n == 0 {
		return
	}
	ids, hashes, wrapped := make([][16]byte, n), make([][]byte, n), make([][]byte, n)
	tenants, kinds, classes, months := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, s := range b.made {
		p := &s.Purpose
		ids[i], hashes[i], wrapped[i] = s.ID, s.SubjectHash, s.Wrapped
		tenants[i], kinds[i], classes[i], months[i] = string(p.Tenant), string(p.Kind), p.Class, p.Month
		if hashes[i] == nil {
			hashes[i] = []byte{}
		}
	}
	const sql = `
		INSERT INTO data_keys (id, tenant, kind, class, month, subject_hash, wrapped)
		SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bytea[])`
	pipeline.Queue(sql, ids, tenants, kinds, classes, months, hashes, wrapped)
}

// queueHeads inserts the new heads. The instance's is that of the empty tenant.
func (b *batch) queueHeads(pipeline *pgx.Batch, key headKey) {
	n := len(b.heads) + 1
	tenants, positions, sizes := make([]string, 1, n), make([]int64, 1, n), make([]int64, 1, n)
	deleted, origins, frontiers := make([]bool, 1, n), make([]string, 1, n), make([][]byte, 1, n)
	configurations, macs := make([]int64, 1, n), make([][]byte, 1, n)
	claims, sums := make([]int64, 1, n), make([]int64, 1, n)
	positions[0], sizes[0], frontiers[0] = int64(b.position), int64(b.position), []byte{}
	macs[0] = key.mac("", &tenantHead{position: b.position, size: int64(b.position), recordedAt: b.stage.recordedAt})
	for tenant, h := range b.heads {
		tenants = append(tenants, string(tenant))
		positions = append(positions, int64(h.position))
		sizes = append(sizes, h.size)
		configurations = append(configurations, int64(h.configuration))
		claims = append(claims, h.claims.number)
		sums = append(sums, int64(h.claims.sum))
		deleted = append(deleted, h.deleted)
		origins = append(origins, h.origin)
		frontiers = append(frontiers, h.frontier)
		macs = append(macs, key.mac(tenant, h))
	}
	const insert = `
		INSERT INTO heads (tenant, position, size, recorded_at, configuration, claims, claims_sum, deleted, origin, frontier, mac)
		SELECT h.tenant, h.position, h.size, $3::timestamptz, h.configuration, h.claims, h.sum, h.deleted, h.origin, h.frontier, h.mac
		  FROM unnest($1::text[], $2::bigint[], $4::bigint[], $5::boolean[], $6::text[], $7::bytea[], $8::bigint[],
		              $9::bytea[], $10::bigint[], $11::bigint[])
		       AS h (tenant, position, size, deleted, origin, frontier, configuration, mac, claims, sum)`
	pipeline.Queue(insert, tenants, positions, b.stage.recordedAt, sizes, deleted, origins, frontiers, configurations, macs,
		claims, sums)
}

// queueOldHeads deletes the heads that the new ones replace.
func (b *batch) queueOldHeads(pipeline *pgx.Batch, base *state) {
	tenants, positions := []string{""}, []int64{int64(base.position)}
	for tenant := range b.heads {
		if old := base.heads[tenant]; old != nil {
			tenants = append(tenants, string(tenant))
			positions = append(positions, int64(old.position))
		}
	}
	const remove = `
		DELETE FROM heads USING unnest($1::text[], $2::bigint[]) AS old (tenant, position)
		 WHERE heads.tenant = old.tenant AND heads.position = old.position`
	pipeline.Queue(remove, tenants, positions)
}

func (b *batch) queueLeases(pipeline *pgx.Batch) {
	n := len(b.stage.leases)
	if n == 0 {
		return
	}
	names, owners, epochs := make([]string, 0, n), make([][16]byte, 0, n), make([]int64, 0, n)
	partings := make([]any, 0, n)
	for name, l := range b.stage.leases {
		names, owners, epochs = append(names, name), append(owners, l.Owner), append(epochs, l.Epoch)
		partings = append(partings, append([]domain.Parting{}, l.Partings...)) // never null
	}
	const sql = `
		INSERT INTO leases (name, owner, epoch, partings)
		SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::jsonb[])
		ON CONFLICT (name) DO UPDATE
		   SET owner = EXCLUDED.owner, epoch = EXCLUDED.epoch, partings = EXCLUDED.partings`
	pipeline.Queue(sql, names, owners, epochs, partings)
}
