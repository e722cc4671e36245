package ingest

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hooktrail/hooktrail/domain"
)

// LeafHash is RFC 6962 §2.1's hash of a leaf.
func LeafHash(leaf []byte) [32]byte {
	var buffer [1024]byte // most leaves fit
	return sha256.Sum256(append(append(buffer[:0], 0), leaf...))
}

// AppendReceipt appends the receipt of an event.appended entry, in JSON.
func AppendReceipt(b []byte, e *domain.Entry, attrs *domain.EventAttributes) []byte {
	hash := LeafHash(e.Leaf)
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

func appendText(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // the error says that bytes were replaced, and the log holds UTF-8 only
	return b
}
