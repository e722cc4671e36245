package filter

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// TestFilters_Lazy_isShared: an expression is compiled once for all who hold it, when it is first asked, and is
// forgotten with the last of them.
func TestFilters_Lazy_isShared(t *testing.T) {
	t.Parallel()
	f := filters(t)
	const src = `data.price == 10`
	one, other := f.Lazy(src), f.Lazy(src)
	held := f.shared.of(src)
	if held.program != nil || len(f.shared.held) != 1 {
		t.Error("it was compiled before it was asked, or twice")
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for _, filter := range []domain.Filter{one, other} {
				if ok, err := filter(t.Context(), &domain.FilterRun{Event: order()}); !ok || err != nil {
					t.Error(ok, err)
				}
			}
		})
	}
	group.Wait()
	if held.program == nil || f.shared.of(src) != held {
		t.Error("the compiled filter isn't shared")
	}
	for i := range 100 {
		f.Lazy(fmt.Sprintf(`data.price == %d`, i+100))
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		runtime.GC()
		f.shared.mu.Lock()
		n := len(f.shared.held)
		f.shared.mu.Unlock()
		if n == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d expressions are kept", n)
		}
		runtime.Gosched()
	}
	runtime.KeepAlive(held)
	runtime.KeepAlive(one)
	runtime.KeepAlive(other)
}
