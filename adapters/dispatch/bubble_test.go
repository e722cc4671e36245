package dispatch_test

import (
	"testing"
	"testing/synctest"
)

// bubble runs a test on a fake clock. A goroutine left behind fails it.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}
