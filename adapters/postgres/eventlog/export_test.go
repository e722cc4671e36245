package eventlog

import (
	"context"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// InstanceHeadMAC authenticates a head of the instance that a test puts into the database.
func InstanceHeadMAC(l *Log, position domain.Position, recordedAt time.Time) []byte {
	return l.heads.mac("", &tenantHead{position: position, size: int64(position), recordedAt: recordedAt})
}

// MovedHead authenticates a head that a test moves to another position. row has it as it is.
func MovedHead(l *Log, row pgx.Row, position domain.Position) ([]byte, error) {
	tenant, h, err := l.heads.scan(row)
	if err != nil {
		return nil, err
	}
	h.position = position
	return l.heads.mac(tenant, h), nil
}

// HeadColumns are those of the row that MovedHead takes.
const HeadColumns = headColumns

// VersionsSQL is the look-up of stream versions under the lock.
const VersionsSQL = versionsSQL

// Introduce has a log take a kind for one that came with a format, as kinds to come will.
func Introduce(l *Log, kind domain.Kind, format int) {
	l.format.introduced = func(k domain.Kind) int {
		if k == kind {
			return format
		}
		return k.Format()
	}
}

// TakeLookUps takes all connections for look-ups, as many look-ups at a time do, until release is called.
func TakeLookUps(ctx context.Context, l *Log) (release func()) {
	var taken []*pgxpool.Conn
	for range vitalConnections {
		if c, err := l.vital.Acquire(ctx); err == nil {
			taken = append(taken, c)
		}
	}
	return func() {
		for _, c := range taken {
			c.Release()
		}
	}
}
