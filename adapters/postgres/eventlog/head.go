package eventlog

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// tenantHead is where one tenant's log ends, or, for the empty tenant, the instance's. Immutable.
type tenantHead struct {
	position      domain.Position // of its last entry
	size          int64
	recordedAt    time.Time
	configuration domain.Sequence // of the last entry that configures routing
	claims        claimTally
	deleted       bool
	origin        string
	frontier      []byte
	tails         *tails // nil: unknown
}

// claimTally shows whether any claim of a tenant is missing: who deletes one can't put another in its place without the
// tenant's secret, and can't make a head that says so. Erasing claims is an append, whose head has the tally of those
// left.
type claimTally struct {
	number int64
	sum    uint64 // of the first 8 bytes of their MACs, modulo 2^64
}

func (t *claimTally) add(mac claimMAC) {
	t.number++
	t.sum += binary.BigEndian.Uint64(mac[:8])
}

// headKey authenticates heads. Nothing that only has the database can make a head, so that neither the entries nor what
// a head says of them can be rewritten; an older head can be put back together with all of the database only.
type headKey []byte

// mac is what a head's row is authenticated by.
func (k headKey) mac(tenant domain.TenantID, h *tenantHead) []byte {
	b := make([]byte, 0, 256+len(h.frontier))
	text := func(s string) { b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...) }
	number := func(n int64) { b = binary.BigEndian.AppendUint64(b, uint64(n)) }
	text(string(tenant))
	number(int64(h.position))
	number(h.size)
	number(h.recordedAt.UnixMicro())
	number(int64(h.configuration))
	number(h.claims.number)
	number(int64(h.claims.sum))
	if h.deleted {
		number(1)
	} else {
		number(0)
	}
	text(h.origin)
	text(string(h.frontier))
	mac := hmac.New(sha256.New, k)
	mac.Write(b)
	return mac.Sum(nil)
}

// headColumns are those that scan takes, in its order.
const headColumns = `h.tenant, h.position, h.size, h.recorded_at, h.configuration, h.claims, h.claims_sum, h.deleted, h.origin,
	h.frontier, h.mac`

// scan reads a head and refuses one that no Hooktrail server has made.
func (k headKey) scan(row pgx.Row) (tenant domain.TenantID, h *tenantHead, err error) {
	h = new(tenantHead)
	var mac []byte
	var sum int64
	err = row.Scan(&tenant, &h.position, &h.size, &h.recordedAt, &h.configuration, &h.claims.number, &sum, &h.deleted, &h.origin,
		&h.frontier, &mac)
	if err != nil {
		return tenant, nil, err
	}
	h.claims.sum = uint64(sum)
	h.recordedAt = h.recordedAt.UTC()
	if !hmac.Equal(mac, k.mac(tenant, h)) {
		return tenant, nil, fmt.Errorf("the head of tenant %q was changed: %w", tenant, errHead)
	}
	return tenant, h, nil
}
