package localpg

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// Not parallel: it changes this process's environment.
func TestStart_environmentStaysOutside(t *testing.T) {
	for name, value := range map[string]string{
		"PGPORT": "", "PGDATA": "/nonexistent", "PGHOST": "elsewhere", "PGOPTIONS": "-c nonsense=1",
		"LC_ALL": "no_SUCH.locale", "LANG": "no_SUCH.locale", "HOOKTRAIL_SECRET_OF_OURS": "secret",
	} {
		t.Setenv(name, value)
	}
	s := started(t, config(tempDir(t)))
	accepts(t, s)
	if runtime.GOOS != "linux" {
		return // what the child got can be read in /proc only; that it started is what matters
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.run.pid))
	if err != nil || len(env) == 0 {
		t.Fatalf("read the server's environment: %d bytes, %v", len(env), err)
	}
	for entry := range strings.SplitSeq(string(env), "\x00") {
		name, _, _ := strings.Cut(entry, "=")
		// postgres itself sets PGLOCALEDIR and PGSYSCONFDIR in its own memory, not in what it was started with.
		if strings.HasPrefix(name, "PG") || strings.HasPrefix(name, "HOOKTRAIL") || strings.Contains(entry, "no_SUCH") {
			t.Errorf("the server sees %s", name)
		}
	}
}
