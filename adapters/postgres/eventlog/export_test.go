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

// Introduce has a log take a kind for one that came with a format, as kinds to come will.
func Introduce(l *Log, kind domain.Kind, format int) {
	l.format.introduced = func(k domain.Kind) int {
		if k == kind {
			return format
		}
		return k.Format()
	}
}
