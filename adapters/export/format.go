package export

import (
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
)

// encoder writes rows in a format. It belongs to one goroutine.
type encoder interface {
	// begin writes what comes before the first row.
	begin(b []byte) []byte
	// row appends one row, whose cells are in the columns' order.
	row(b []byte, cells []cell) []byte
}

// table is an export's columns, bound to the values of rows.
type table struct {
	columns []domain.ExportColumn
	fills   []fill
	cells   []cell
}

func newTable(q *domain.ExportQuery) (*table, error) {
	t := &table{columns: q.Chosen()}
	for _, c := range t.columns {
		f, err := filler(q.What, c.Name)
		if err != nil {
			return nil, err
		}
		t.fills = append(t.fills, f)
	}
	t.cells = make([]cell, len(t.columns))
	return t, nil
}

// of returns a row's cells, which are good until the next call.
func (t *table) of(r *row) ([]cell, error) {
	clear(t.cells)
	for i, f := range t.fills {
		if err := f(r, &t.cells[i]); err != nil {
			return nil, fmt.Errorf("column %s: %w", t.columns[i].Name, err)
		}
	}
	return t.cells, nil
}

// fileName is what an export's file is called.
func fileName(q *domain.ExportQuery) string {
	name := string(q.What) + "." + string(q.Format)
	if q.Compression == domain.CompressionZstd {
		name += ".zst"
	}
	return name
}
