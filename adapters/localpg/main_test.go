package localpg

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// ownVariable makes the test binary a program that owns the directory it names until it is killed.
const ownVariable = "LOCALPG_TEST_OWN"

func TestMain(m *testing.M) {
	dir := os.Getenv(ownVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	s, err := Start(context.Background(), config(dir))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Printf("ready %d\n", s.run.pid)
	select {}
}

func TestStart_afterItsOwnerWasKilled(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	owner := exec.CommandContext(t.Context(), os.Args[0])
	owner.Env = append(os.Environ(), ownVariable+"="+dir)
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatalf("start the owner: %v", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	var pid int
	if _, scanErr := fmt.Sscanf(line, "ready %d", &pid); scanErr != nil {
		t.Fatalf("the owner said %q, %v", line, err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := owner.Wait(); err == nil {
		t.Fatal("the owner wasn't killed")
	}

	s := started(t, config(dir))
	accepts(t, s)
	if command, err := commandLine(t.Context(), pid); err == nil && serves(command, s.data()) {
		t.Errorf("the dead owner's server, process %d, still runs", pid)
	}
}

// As root the whole package runs once more as an ordinary user; otherwise it does so anyway.
func TestAsOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return
	}
	as, err := lookUp("nobody")
	if err != nil {
		t.Fatalf("no ordinary user: %v", err)
	}
	program := tempDir(t)
	copyProgram(t, os.Args[0], program)
	home := tempDir(t)
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := as.own(home); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^(TestStart_again|TestServer_secrets.*|TestStart_afterItsOwnerWasKilled|TestStart_reach)$", "-test.v")
	cmd.Dir, cmd.SysProcAttr = home, as.attributes()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "\n--- PASS: Test") != 4 {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	program, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	writeProgram(t, to, program)
}

// writeProgram keeps other tests from forking meanwhile: their child would hold the file open for writing until its own exec, and
// who runs the program in that moment gets "text file busy".
func writeProgram(t *testing.T, path string, program []byte) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
}

// Below a directory that is closed to others a server of root's can't be run, since it runs as somebody else: the error says so. An
// ordinary user's own directories are no obstacle.
func TestStart_reach(t *testing.T) {
	t.Parallel()
	closed := tempDir(t)
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), config(filepath.Join(closed, "data", "postgres")))
	if os.Geteuid() != 0 {
		if err != nil {
			t.Fatalf("start: %v", err)
		}
		stopped(t, s)
		return
	}
	if err == nil {
		stopped(t, s)
		t.Fatal("a start where the account can't go")
	}
	if want := "chmod o+x " + closed; !strings.Contains(err.Error(), want) {
		t.Errorf("error %q doesn't say %q", err, want)
	}
}

func TestDefaultDir(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", "/xdg")
	dir, err := DefaultDir("app")
	want := "/xdg/app"
	if os.Geteuid() == 0 {
		want = "/var/lib/app"
	}
	if err != nil || dir != want {
		t.Errorf("got %q, %v, expected %q", dir, err, want)
	}
}
