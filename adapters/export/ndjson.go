package export

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hooktrail/hooktrail/domain"
)

// ndjson writes one JSON object a line, every column in each. JSON values go out as the log has them, but without line
// feeds.
type ndjson struct {
	types []domain.ExportType
	names [][]byte // `,"name":`
}

func newNDJSON(columns []domain.ExportColumn) *ndjson {
	n := new(ndjson)
	for i, c := range columns {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		n.types = append(n.types, c.Type)
		n.names = append(n.names, []byte(string(separator)+strconv.Quote(c.Name)+":"))
	}
	return n
}

func (n *ndjson) begin(b []byte) []byte { return b }

func (n *ndjson) row(b []byte, cells []cell) []byte {
	for i := range cells {
		b = append(b, n.names[i]...)
		c := &cells[i]
		if !c.set {
			b = append(b, "null"...)
			continue
		}
		switch n.types[i] {
		case domain.TypeInteger:
			b = strconv.AppendInt(b, c.integer, 10)
		case domain.TypeBoolean:
			b = strconv.AppendBool(b, c.integer != 0)
		case domain.TypeTimestamp:
			b = append(appendTime(append(b, '"'), c.integer), '"')
		case domain.TypeJSON:
			b = appendLine(b, c.json)
		case domain.TypeUUID:
			b = append(append(append(b, '"'), c.text...), '"')
		default:
			b, _ = jsontext.AppendQuote(b, c.text) // the error says that bytes that aren't UTF-8 were replaced
		}
	}
	return append(b, "}\n"...)
}

// appendLine appends a JSON value. Its line breaks, which can only be between tokens, become spaces.
func appendLine(b, value []byte) []byte {
	start := len(b)
	b = append(b, value...)
	for i := start; i < len(b); i++ {
		if b[i] == '\n' || b[i] == '\r' {
			b[i] = ' '
		}
	}
	return b
}

// appendTime appends a time as the product writes it everywhere: RFC 3339 in UTC with at most microseconds.
func appendTime(b []byte, micros int64) []byte {
	return time.UnixMicro(micros).UTC().AppendFormat(b, "2006-01-02T15:04:05.999999Z07:00")
}
