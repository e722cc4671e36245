package export

import (
	"fmt"
	"reflect"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/hooktrail/hooktrail/domain"
)

// Sizes of a row group, which is held in memory until it is written. They depend on the rows alone, so that the same rows
// make the same file.
const (
	groupRows  = 50_000
	groupBytes = 32 << 20
)

// parquetWriter writes Apache Parquet. What is in which row group is written last, so a file can't be gone on with.
type parquetWriter struct {
	table  *table
	writer *parquet.GenericWriter[any]
	row    parquet.Row
	rows   int // of the row group
	bytes  int
}

func newParquetWriter(to *file, t *table) *parquetWriter {
	w := parquet.NewGenericWriter[any](to, parquetSchema(t.columns), &parquet.WriterConfig{
		// The library's own version would change files whenever it is updated.
		CreatedBy: "Hooktrail", Compression: &zstd.Codec{Level: zstd.SpeedDefault}, DataPageStatistics: true,
		ColumnPageBuffers: parquet.NewBufferPool(), PageBufferSize: 256 << 10, WriteBufferSize: 64 << 10,
		DataPageVersion: 2, MaxRowsPerRowGroup: groupRows,
	})
	return &parquetWriter{table: t, writer: w, row: make(parquet.Row, len(t.columns))}
}

// parquetSchema makes the schema of columns, in their order. Every column is optional.
func parquetSchema(columns []domain.ExportColumn) *parquet.Schema {
	fields := make([]reflect.StructField, len(columns))
	for i, c := range columns {
		typ, tag := reflect.TypeFor[string](), ""
		switch c.Type {
		case domain.TypeInteger:
			typ = reflect.TypeFor[int64]()
		case domain.TypeBoolean:
			typ = reflect.TypeFor[bool]()
		case domain.TypeTimestamp:
			typ, tag = reflect.TypeFor[int64](), ",timestamp(microsecond)"
		case domain.TypeJSON:
			tag = ",json"
		}
		fields[i] = reflect.StructField{
			Name: fmt.Sprintf("Column%d", i), Type: typ,
			Tag: reflect.StructTag(fmt.Sprintf(`parquet:"%s,optional%s"`, c.Name, tag)),
		}
	}
	return parquet.SchemaOf(reflect.New(reflect.StructOf(fields)).Interface())
}

func (w *parquetWriter) add(rows []row) error {
	for i := range rows {
		cells, err := w.table.of(&rows[i])
		if err != nil {
			return err
		}
		for n := range cells {
			w.row[n] = w.value(&cells[n], w.table.columns[n].Type, n)
		}
		if _, err := w.writer.WriteRows([]parquet.Row{w.row}); err != nil {
			return err
		}
		if w.rows++; w.rows < groupRows && w.bytes < groupBytes {
			continue
		}
		if err := w.writer.Flush(); err != nil {
			return err
		}
		w.rows, w.bytes = 0, 0
	}
	return nil
}

// value makes a cell's value of a column.
func (w *parquetWriter) value(c *cell, typ domain.ExportType, column int) parquet.Value {
	if !c.set {
		return parquet.NullValue().Level(0, 0, column)
	}
	var v parquet.Value
	switch typ {
	case domain.TypeInteger, domain.TypeTimestamp:
		v, w.bytes = parquet.Int64Value(c.integer), w.bytes+8
	case domain.TypeBoolean:
		v, w.bytes = parquet.BooleanValue(c.integer != 0), w.bytes+1
	case domain.TypeJSON:
		v, w.bytes = parquet.ByteArrayValue(c.json), w.bytes+len(c.json)
	default:
		v, w.bytes = parquet.ByteArrayValue([]byte(c.text)), w.bytes+len(c.text)
	}
	return v.Level(0, 1, column)
}

func (w *parquetWriter) pending() ([]byte, bool) { return nil, false }

func (w *parquetWriter) close() error { return w.writer.Close() }
