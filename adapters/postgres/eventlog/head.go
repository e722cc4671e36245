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
	deleted       bool
	origin        string
	frontier      []byte
	tails         *tails // nil: unknown
}

// headKey authenticates heads. Nothing that only has the database can make a head, so that neither the entries nor what a head
// says of them can be rewritten; an older head can be put back together with all of the database only.
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
const headColumns = `h.tenant, h.position, h.size, h.recorded_at, h.configuration, h.deleted, h.origin, h.frontier, h.mac`

// scan reads a head and refuses one that no Hooktrail server has made.
func (k headKey) scan(row pgx.Row) (tenant domain.TenantID, h *tenantHead, err error) {
	h = new(tenantHead)
	var mac []byte
	err = row.Scan(&tenant, &h.position, &h.size, &h.recordedAt, &h.configuration, &h.deleted, &h.origin, &h.frontier, &mac)
	if err != nil {
		return tenant, nil, err
	}
	h.recordedAt = h.recordedAt.UTC()
	if !hmac.Equal(mac, k.mac(tenant, h)) {
		return tenant, nil, fmt.Errorf("the head of tenant %q was changed: %w", tenant, errHead)
	}
	return tenant, h, nil
}
