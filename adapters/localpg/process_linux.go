package localpg

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// dieWithParent has the kernel send the fast-shutdown signal to the server when we die without stopping it. It fires
// when the starting thread ends, so that thread must live as long as the child.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }

// commandLine is how a process was started; empty for a zombie.
func commandLine(_ context.Context, pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == 0 }), nil
}
