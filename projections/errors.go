package projections

import "errors"

// ErrBehind: the views didn't reach the sequence that a read asked for in time.
var ErrBehind = errors.New("the view is behind")
