package eventlog

import (
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// InstanceHeadMAC authenticates a head of the instance that a test puts into the database.
func InstanceHeadMAC(l *Log, position domain.Position, recordedAt time.Time) []byte {
	return l.heads.mac("", &tenantHead{position: position, size: int64(position), recordedAt: recordedAt})
}

// VersionsSQL is the look-up of stream versions under the lock.
const VersionsSQL = versionsSQL
