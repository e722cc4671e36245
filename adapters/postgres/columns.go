package postgres

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Column is one array parameter of an insert, in Postgres's binary format for arrays. It is built element by element at
// its final size: pgx's own encoding of slices boxes every element and grows its buffer again and again, which costs as
// much as the rest of a commit's work in this process.
type Column struct {
	bytes []byte
	nulls bool
}

// arrayHeader is dimensions, null flag, element type, and of the one dimension length and lower bound.
const arrayHeader = 20

// NewColumn makes a Column of n elements of the type with that OID. All of them together take up to size bytes.
func NewColumn(element uint32, n, size int) *Column {
	b := make([]byte, arrayHeader, arrayHeader+4*n+size)
	binary.BigEndian.PutUint32(b, 1)
	binary.BigEndian.PutUint32(b[8:], element)
	binary.BigEndian.PutUint32(b[12:], uint32(n))
	binary.BigEndian.PutUint32(b[16:], 1)
	return &Column{bytes: b}
}

// Int64 appends a bigint.
func (c *Column) Int64(v int64) {
	c.bytes = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(c.bytes, 8), uint64(v))
}

// Int32 appends an integer.
func (c *Column) Int32(v int) {
	c.bytes = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(c.bytes, 4), uint32(v))
}

// Int16 appends a smallint.
func (c *Column) Int16(v int) {
	c.bytes = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(c.bytes, 2), uint16(v))
}

// Text appends a text.
func (c *Column) Text(s string) {
	c.bytes = append(binary.BigEndian.AppendUint32(c.bytes, uint32(len(s))), s...)
}

// Bytea appends a bytea.
func (c *Column) Bytea(b []byte) {
	c.bytes = append(binary.BigEndian.AppendUint32(c.bytes, uint32(len(b))), b...)
}

// Null appends a null of any type.
func (c *Column) Null() {
	c.nulls = true
	c.bytes = binary.BigEndian.AppendUint32(c.bytes, 1<<32-1) // a length of -1
}

// UUID appends a uuid, null for the zero one.
func (c *Column) UUID(id domain.UUID) {
	if id.IsZero() {
		c.Null()
		return
	}
	c.Bytea(id[:])
}

// UnixOf2000 is where Postgres's times begin, in seconds.
const UnixOf2000 = 946_684_800

// Time appends a timestamptz.
func (c *Column) Time(t time.Time) { c.Int64(t.UnixMicro() - UnixOf2000*1_000_000) }

// columnCodec has an array type of pgx take Columns, too.
type columnCodec struct{ pgtype.Codec }

// PlanEncode implements pgtype.Codec.
func (c columnCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(*Column); ok && format == pgtype.BinaryFormatCode {
		return columnPlan{}
	}
	return c.Codec.PlanEncode(m, oid, format, value)
}

// PreferredFormat implements pgtype.Codec: the one that columns have, which the elements' types have, too.
func (columnCodec) PreferredFormat() int16 { return pgtype.BinaryFormatCode }

type columnPlan struct{}

// Encode implements pgtype.EncodePlan.
func (columnPlan) Encode(value any, buf []byte) ([]byte, error) {
	c := value.(*Column)
	if c.nulls {
		c.bytes[7] = 1
	}
	return append(slices.Grow(buf, len(c.bytes)), c.bytes...), nil
}

// RegisterColumns has a connection take columns as arrays.
func RegisterColumns(conn *pgx.Conn) {
	types := conn.TypeMap()
	for _, oid := range []uint32{
		pgtype.Int8ArrayOID, pgtype.Int4ArrayOID, pgtype.Int2ArrayOID, pgtype.TextArrayOID,
		pgtype.ByteaArrayOID, pgtype.UUIDArrayOID, pgtype.TimestamptzArrayOID,
	} {
		array, ok := types.TypeForOID(oid)
		if !ok {
			continue // pgx knows all of these: without, encoding a Column fails and says so
		}
		types.RegisterType(&pgtype.Type{Name: array.Name, OID: oid, Codec: columnCodec{array.Codec}})
	}
}
