package export

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hooktrail/hooktrail/domain"
)

// csv writes RFC 4180: a line of names, CRLF at the end of each line, cells in quotes where they need them. A null is an
// empty cell.
//
// A spreadsheet runs a cell that begins with = + - @ as a formula, some also their full-width forms, and some pass over a tab,
// carriage return or line feed before them. Texts that begin so get an apostrophe in front, which spreadsheets take for
// "this is text". Columns of numbers are left alone: what is a number is no formula.
type csv struct {
	columns []domain.ExportColumn
}

func newCSV(columns []domain.ExportColumn) *csv { return &csv{columns} }

const lineEnd = "\r\n"

func (w *csv) begin(b []byte) []byte {
	for i, c := range w.columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, c.Name...)
	}
	return append(b, lineEnd...)
}

func (w *csv) row(b []byte, cells []cell) []byte {
	for i := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		c := &cells[i]
		if !c.set {
			if len(cells) == 1 {
				b = append(b, `""`...) // an empty line isn't a row
			}
			continue
		}
		switch w.columns[i].Type {
		case domain.TypeInteger:
			b = strconv.AppendInt(b, c.integer, 10)
		case domain.TypeBoolean:
			b = strconv.AppendBool(b, c.integer != 0)
		case domain.TypeTimestamp:
			b = appendTime(b, c.integer)
		case domain.TypeUUID:
			b = append(b, c.text...)
		case domain.TypeJSON:
			b = appendCell(b, string(c.json))
		default:
			b = appendCell(b, c.text)
		}
	}
	return append(b, lineEnd...)
}

// appendCell appends a text that may hold anything.
func appendCell(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	first, _ := utf8.DecodeRuneInString(s)
	formula := s != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first)
	if !formula && !strings.ContainsAny(s, "\",\r\n") {
		return append(b, s...)
	}
	b = append(b, '"')
	if formula {
		b = append(b, '\'')
	}
	for i := range len(s) {
		if s[i] == '"' {
			b = append(b, '"')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}
