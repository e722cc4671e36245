package openapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// receiptOut is the answer to an event. Only the document uses the type: receipts are written by hand.
type receiptOut struct {
	ID         string   `json:"id" doc:"The producer's id or, without one, the event's own." example:"order-4711"`
	Type       string   `json:"type" doc:"As sent." example:"offer.issued"`
	Sequence   int64    `json:"sequence" doc:"The event's place in the tenant's log, and its leaf's index in the tenant's Merkle tree." example:"41"`
	RecordedAt stamp    `json:"recorded_at" doc:"When it was recorded: the database's clock." example:"2026-07-01T12:00:00.123456Z"`
	Warnings   []string `json:"warnings,omitempty" doc:"How the event breaks the schema of its type, where the tenant has it accepted all the same: places and rules. It stands in the event's entry too." example:"data/amount: must be a number"`
	LeafHash   string   `json:"leaf_hash" doc:"The leaf's RFC 6962 hash, in standard base64 as in C2SP checkpoints." example:"cTOUDeMlPgClsHbaWuiOa3M0PbcTF6PvLiuZtmTwTVg="`
}

// receiptsOut is the answer to a batch of events.
type receiptsOut struct {
	Items []receiptOut `json:"items" doc:"A receipt an event, in the batch's order."`
}

// leafHash is RFC 6962 §2.1's hash of a leaf.
func leafHash(leaf []byte) [32]byte {
	var buffer [1024]byte // most leaves fit
	return sha256.Sum256(append(append(buffer[:0], 0), leaf...))
}

// appendReceipt writes the receipt of an event.appended entry.
func appendReceipt(b []byte, e *domain.Entry, attrs *domain.EventAttributes) []byte {
	hash := leafHash(e.Leaf)
	b = appendText(append(b, `{"id":`...), attrs.ID)
	b = appendText(append(b, `,"type":`...), string(attrs.Type))
	b = strconv.AppendInt(append(b, `,"sequence":`...), int64(e.Sequence), 10)
	b = append(append(append(b, `,"recorded_at":"`...), domain.FormatTime(e.RecordedAt)...), `","leaf_hash":"`...)
	b = base64.StdEncoding.AppendEncode(b, hash[:])
	if attrs.SchemaProblem == "" {
		return append(b, `"}`...)
	}
	b = append(b, `","warnings":[`...)
	for i, line := range strings.Split(attrs.SchemaProblem, "\n") {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, line)
	}
	return append(b, `]}`...)
}

// appendText writes a JSON text.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic("openapi: a text isn't writable as JSON") // every string is
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
