package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// TestScript runs the stories of testdata/script: what people type at a shell, against the real program. Each script
// has a data directory, in which it starts, and a free address for its server and one ($RECEIVER) for a receiver.
// Beside testscript's own commands there are those below.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			t := env.T().(testing.TB)
			env.Values[scriptTest{}] = t
			dir, server := newDataDir(t), freeAddress(t)
			env.Setenv("HOOKTRAIL_DATA_DIR", dir)
			env.Setenv("HOOKTRAIL_LISTEN", server)
			env.Setenv("HOOKTRAIL_URL", "http://"+server)
			env.Setenv("HOOKTRAIL_STOP_DELAY", "0s")
			env.Setenv("RECEIVER", freeAddress(t))
			env.Cd = dir
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"api":      scriptAPI,
			"await":    scriptAwait,
			"capture":  scriptCapture,
			"database": scriptDatabase,
			"exits":    scriptExits,
		},
	})
}

// scriptAPI is `api METHOD PATH [BODY]`: it calls the server as hooktrail's own client commands would, prints status
// and body in one line, and fails on a problem; `! api` fails unless there is one.
func scriptAPI(ts *testscript.TestScript, neg bool, args []string) {
	status, answer, err := callAPI(ts, args)
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), answer)
	if (status >= 300) != neg {
		ts.Fatalf("%s answered %d", strings.Join(args, " "), status)
	}
}

func callAPI(ts *testscript.TestScript, args []string) (status int, answer string, err error) {
	if len(args) != 2 && len(args) != 3 {
		ts.Fatalf("usage: api METHOD PATH [BODY]")
	}
	flags := apiFlags{
		URL:     ts.Getenv("HOOKTRAIL_URL"),
		Key:     ts.Getenv("HOOKTRAIL_API_KEY"),
		DataDir: ts.Getenv("HOOKTRAIL_DATA_DIR"),
	}
	client, err := flags.client()
	if err != nil {
		return 0, "", err
	}
	var body io.Reader
	if len(args) == 3 {
		body = strings.NewReader(args[2])
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	resp, err := client.send(ctx, args[0], args[1], body)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, fmt.Sprintf("%d %s\n", resp.StatusCode, strings.TrimSpace(string(text))), err
}

// scriptAwait is `await REGEXP api …` and `await REGEXP cat FILE`: it repeats the command until its output matches.
func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || args[1] != "api" && args[1] != "cat" {
		ts.Fatalf("usage: await REGEXP api METHOD PATH [BODY] | await REGEXP cat FILE")
	}
	wanted := scriptRegexp(ts, args[0])
	var output string
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if args[1] == "cat" {
			var text []byte
			text, err = os.ReadFile(ts.MkAbs(args[2]))
			output = string(text)
		} else {
			_, output, err = callAPI(ts, args[2:])
		}
		if err == nil && wanted.MatchString(output) {
			fmt.Fprint(ts.Stdout(), output)
			return
		}
	}
	ts.Fatalf("not within 30 s; in the end: %s%v", output, err)
}

// scriptCapture is `capture NAME REGEXP`: the variable becomes what the group matches in the last command's output.
func scriptCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME REGEXP")
	}
	found := scriptRegexp(ts, args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("no match with one group for %s in\n%s", args[1], ts.ReadFile("stdout"))
	}
	ts.Setenv(args[0], found[1])
}

// scriptRegexp is multi-line, as those of testscript's own commands are.
func scriptRegexp(ts *testscript.TestScript, text string) *regexp.Regexp {
	re, err := regexp.Compile("(?m)" + text)
	ts.Check(err)
	return re
}

// scriptDatabase makes an empty database: $SERVER_URL as the server's own role, $ADMIN_URL as one that may do anything.
func scriptDatabase(ts *testscript.TestScript, _ bool, _ []string) {
	t := ts.Value(scriptTest{}).(testing.TB)
	beside := migratetest.Open(t)
	name := beside.Name + "_empty"
	conn, err := pgx.Connect(t.Context(), beside.AdminURL)
	ts.Check(err)
	t.Cleanup(func() {
		if _, err := conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		_ = conn.Close(context.Background())
	})
	_, err = conn.Exec(t.Context(), "CREATE DATABASE "+name)
	ts.Check(err)
	ts.Setenv("SERVER_URL", named(t, beside.URL, name))
	ts.Setenv("ADMIN_URL", named(t, beside.AdminURL, name))
}

// scriptTest is the key of a script's own *testing.T.
type scriptTest struct{}

// named is the URL of another database in the same cluster.
func named(t testing.TB, databaseURL, name string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// scriptExits is `exits CODE PROGRAM [ARGUMENT...]`: it runs the program and demands its exit code.
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT...]")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		code = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d", code)
	}
}
