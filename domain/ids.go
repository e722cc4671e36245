package domain

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"time"
)

// UUID is an RFC 9562 UUID. What the product makes itself is version 7. The zero value means none and is written as an
// empty text.
type UUID [16]byte // "01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"

// newest is the highest timestamp and counter that NewUUID has given in this process.
var newest struct {
	sync.Mutex
	value uint64
}

// NewUUID returns a version 7 UUID that is greater than every one this process got before: 48 bits of milliseconds, a
// 12-bit counter that carries into them, and 62 random bits. It is safe for concurrent use.
func NewUUID() UUID {
	var id UUID
	_, _ = rand.Read(id[8:]) // crypto/rand.Read never fails (it aborts the program)
	now := uint64(time.Now().UnixMilli()) << 12
	newest.Lock()
	if now <= newest.value {
		now = newest.value + 1
	}
	newest.value = now
	newest.Unlock()
	binary.BigEndian.PutUint64(id[:8], now>>12<<16|0x7000|now&0x0fff)
	id[8] = id[8]&0x3f | 0x80
	return id
}

// ParseUUID reads the canonical text of 36 characters, in either case.
func ParseUUID(s string) (UUID, error) {
	var id UUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, fmt.Errorf("not a UUID: want 36 characters such as 01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e")
	}
	var digits [32]byte
	copy(digits[0:], s[0:8])
	copy(digits[8:], s[9:13])
	copy(digits[12:], s[14:18])
	copy(digits[16:], s[19:23])
	copy(digits[20:], s[24:36])
	if _, err := hex.Decode(id[:], digits[:]); err != nil {
		return UUID{}, fmt.Errorf("not a UUID: it holds a character that is no hexadecimal digit")
	}
	return id, nil
}

// IsZero reports whether the id is the zero value, which means none.
func (id UUID) IsZero() bool { return id == UUID{} }

// String is the canonical lower-case text, or "" for none.
func (id UUID) String() string {
	if id.IsZero() {
		return ""
	}
	return string(id.append(make([]byte, 0, 36)))
}

// AppendText appends the canonical text to b; it implements encoding.TextAppender.
func (id UUID) AppendText(b []byte) ([]byte, error) {
	if id.IsZero() {
		return b, nil
	}
	return id.append(b), nil
}

// MarshalText implements encoding.TextMarshaler.
func (id UUID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText implements encoding.TextUnmarshaler; the empty text is none.
func (id *UUID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = UUID{}
		return nil
	}
	parsed, err := ParseUUID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

func (id UUID) append(b []byte) []byte {
	b = hex.AppendEncode(b, id[0:4])
	b = append(b, '-')
	b = hex.AppendEncode(b, id[4:6])
	b = append(b, '-')
	b = hex.AppendEncode(b, id[6:8])
	b = append(b, '-')
	b = hex.AppendEncode(b, id[8:10])
	b = append(b, '-')
	return hex.AppendEncode(b, id[10:16])
}

// TenantID names one tenant, in paths and in the origin of its log: [a-z0-9-]{1,63}.
type TenantID string // "acme"

const (
	// InstanceTenant is the reserved tenant whose log says what concerns the whole instance. Its name can't be taken:
	// no tenant id contains an underscore.
	InstanceTenant TenantID = "_instance"
	// DefaultTenant exists from the first start.
	DefaultTenant TenantID = "default"
)

// Validate refuses a tenant id that a client may not choose.
func (t TenantID) Validate() error {
	if len(t) < 1 || len(t) > 63 {
		return Invalid("id", "must have 1 to 63 characters")
	}
	for _, c := range []byte(t) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return Invalid("id", "must contain only a-z, 0-9 and -")
		}
	}
	return nil
}

// Position is a place in the instance's log: from 1, gapless, in commit order. 0 is before the first entry.
type Position int64

// Sequence is a place in one tenant's log: from 0 (always tenant.created), gapless; the entry's leaf index in the
// tenant's Merkle tree.
type Sequence int64

// Stream names the entries of one thing. The UUID is the thing's internal one, never an id that a producer chose.
type Stream struct {
	Kind StreamKind
	ID   UUID
}

// StreamKind is the first half of a stream's name.
type StreamKind string

// The kinds of stream. They are part of the leaf: a name is never changed.
const (
	StreamEvent        StreamKind = "event"
	StreamEndpoint     StreamKind = "endpoint"
	StreamSubscription StreamKind = "subscription"
	StreamDelivery     StreamKind = "delivery"
	StreamTenant       StreamKind = "tenant"
	StreamKey          StreamKind = "key"
	StreamEventType    StreamKind = "event-type"
	StreamProfile      StreamKind = "profile"
	StreamReplay       StreamKind = "replay"
	StreamExport       StreamKind = "export"
	StreamErasure      StreamKind = "erasure"
	StreamHold         StreamKind = "hold"
	StreamLease        StreamKind = "lease"
	StreamServer       StreamKind = "server"
	StreamDamage       StreamKind = "damage"

	StreamReconciliation StreamKind = "reconciliation"
)

// String is the stream's name in the log, such as "endpoint/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e".
func (s Stream) String() string {
	b := make([]byte, 0, len(s.Kind)+37)
	b = append(b, s.Kind...)
	b = append(b, '/')
	return string(s.ID.append(b))
}

// ParseStream reads a stream's name. It doesn't ask whether the kind is known: an older program must be able to read a
// newer log.
func ParseStream(s string) (Stream, error) {
	for i := range len(s) {
		if s[i] != '/' {
			continue
		}
		id, err := ParseUUID(s[i+1:])
		if err != nil || i == 0 {
			break
		}
		return Stream{Kind: StreamKind(s[:i]), ID: id}, nil
	}
	return Stream{}, fmt.Errorf("not a stream: want kind/uuid")
}
