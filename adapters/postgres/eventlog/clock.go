package eventlog

import (
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// defaultClockAhead is by how much the database's clock may be ahead.
const defaultClockAhead = 10 * time.Second

// errClock: recorded_at only ever grows. One entry recorded in a far future would have every later one recorded there.
var errClock = fmt.Errorf("nothing is appended (hint: set the clocks of both machines by NTP): %w", domain.ErrUnavailable)

// checkClock refuses to record by a database's clock that is further ahead of this machine's than most.
func checkClock(database time.Time, most time.Duration) error {
	if ahead := time.Until(database); ahead > most {
		return fmt.Errorf("the database's clock is %v ahead of this machine's, more than %v: %w",
			ahead.Round(time.Millisecond), most, errClock)
	}
	return nil
}
