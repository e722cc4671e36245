package eventlog

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

func idOf(at time.Time) domain.UUID {
	id := domain.NewUUID()
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(at.UnixMilli()))
	copy(id[:6], b[2:])
	return id
}

// A stream is looked for where it can have entries, and in no partition that ended long before its id was made.
func TestStarts(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	s := starts{day, day.AddDate(0, 0, 10), day.AddDate(0, 0, 20)}
	for at, want := range map[time.Time]domain.Position{
		day.AddDate(0, 0, -5):           0,
		day.AddDate(0, 0, 1):            0, // by a clock that was ahead, perhaps
		day.AddDate(0, 0, 3):            1 * partitionWidth,
		day.AddDate(0, 0, 11):           1 * partitionWidth,
		day.AddDate(0, 0, 13):           2 * partitionWidth,
		day.AddDate(0, 0, 23):           3 * partitionWidth,
		day.AddDate(5, 0, 0):            3 * partitionWidth,
		time.UnixMilli(0):               0,
		day.Add(2 * maxIDAhead):         1 * partitionWidth,
		day.Add(2*maxIDAhead - 1000000): 0,
	} {
		if from := s.from(idOf(at)); from != want {
			t.Errorf("made at %v: from %d, want %d", at, from, want)
		}
	}
	if from := s.from(domain.UUID{6: 0x40}); from != 0 {
		t.Errorf("an id that tells no time: from %d", from)
	}
	if from := starts(nil).from(domain.NewUUID()); from != 0 {
		t.Errorf("without partitions: from %d", from)
	}
}
