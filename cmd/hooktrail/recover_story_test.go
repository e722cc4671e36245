package main

import (
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestStory_OlderCopy: an older copy of the database is put back while the server is down. The next start refuses to serve
// from it, says what to do, and goes on only when an operator has accepted what was lost.
func TestStory_OlderCopy(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	event := func(id string) {
		p.do("POST", "/v1/tenants/default/events", map[string]any{"id": id, "type": "order.paid", "data": 1}, nil)
	}
	event("kept")
	p.stop()
	data, older := filepath.Join(p.dir, postgresDir, "data"), filepath.Join(p.dir, "older")
	shell(t, "cp", "-a", data, older)

	p.start()
	event("lost")
	p.stop()
	shell(t, "rm", "-r", data)
	shell(t, "mv", older, data)

	serve := binary(t.Context(), "serve")
	serve.Env = append(serve.Env, "HOOKTRAIL_DATA_DIR="+p.dir, "HOOKTRAIL_LISTEN="+p.address, "HOOKTRAIL_ADMIN_KEY="+p.key)
	var said bytes.Buffer
	serve.Stdout, serve.Stderr = &said, &said
	if err := serve.Run(); err == nil || !strings.Contains(said.String(), "hooktrail recover") {
		t.Fatalf("the server began with an older copy of its database (%v): %s", err, &said)
	}

	var stdout bytes.Buffer
	if code := run(t.Context(), []string{"recover", "--data-dir", p.dir}, process{stdout: &stdout, stderr: io.Discard}); code != exitFailed {
		t.Errorf("recover without a decision exits %d: %s", code, &stdout)
	}
	if !strings.Contains(stdout.String(), "lost at least") {
		t.Errorf("recover doesn't say what is lost: %s", &stdout)
	}
	out := tool(t, "recover", "--data-dir", p.dir, "--accept-loss", "--by", "ann", "--reason", "the disk burned")
	if !strings.Contains(out, "accepted") {
		t.Errorf("recover --accept-loss prints %s", out)
	}
	p.start()
	event("lost") // its id is free again
	var accepted struct {
		Items []struct {
			Reason string
			Data   struct {
				Detail domain.Loss
				Names  domain.Person
			}
		}
	}
	p.do("GET", "/v1/tenants/_instance/log?kind=loss.accepted", nil, &accepted)
	if len(accepted.Items) != 1 || accepted.Items[0].Reason != "the disk burned" || accepted.Items[0].Data.Names.Name != "ann" {
		t.Fatalf("the instance's log says %+v", accepted)
	}
	if loss := accepted.Items[0].Data.Detail; loss.Known <= loss.Head || len(loss.KnownLeaf) != 64 || len(loss.HeadLeaf) != 64 {
		t.Errorf("what was lost is accepted to be %+v", loss)
	}
	p.stop()
	if out := tool(t, "recover", "--data-dir", p.dir); !strings.Contains(out, "nothing is to be recovered") {
		t.Errorf("recover prints %s", out)
	}
	p.verify()
}

func shell(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}
