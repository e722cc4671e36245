package dispatch

import (
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
)

// The two folds of this package, as metrics and facts name them.
const (
	feedFollower          = "dispatcher"
	configurationFollower = "configuration"
)

// understood reports whether this program knows an entry's kind. Entries of other kinds are passed over, unless they
// are critical; one of a newer version of a known kind must not be.
func understood(e *domain.Entry) (known bool, err error) {
	switch version := e.Kind.Version(); {
	case version == 0 && e.Critical:
		return false, fmt.Errorf("this program doesn't know %s, which must not be passed over: upgrade it", e.Kind)
	case e.KindVersion > version && version > 0:
		return false, fmt.Errorf("this program doesn't know version %d of %s: upgrade it", e.KindVersion, e.Kind)
	default:
		return version > 0, nil
	}
}
