package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// pinned is an image with a version: a tag of figures, or the checkout that the file itself builds.
var pinned = regexp.MustCompile(`^([a-z]+:[0-9][0-9.]*(-[a-z]+)?|hooktrail:checkout)$`)

// loadCompose reads the file as `docker compose config` does: unknown keys and unknown services are errors.
func loadCompose(t *testing.T, env ...string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, cli.WithEnv(env))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

// composeProject is the file with the two passwords that its head tells to make.
func composeProject(t *testing.T) *types.Project {
	t.Helper()
	project, err := loadCompose(t, "POSTGRES_PASSWORD=superuser-pw", "HOOKTRAIL_SERVER_PASSWORD=server-pw")
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestCompose(t *testing.T) {
	t.Parallel()
	project := composeProject(t)
	if got, want := project.ServiceNames(), []string{"migrate", "postgres", "server"}; !slices.Equal(got, want) {
		t.Fatalf("services %v, want %v", got, want)
	}
	for name, service := range project.Services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkImages(t, service)
			checkPorts(t, service)
			if name != "migrate" && (service.HealthCheck == nil || len(service.HealthCheck.Test) < 2) {
				t.Error("has no health check")
			}
		})
	}
}

func TestCompose_PasswordsHaveNoDefault(t *testing.T) {
	t.Parallel()
	for _, env := range []string{"POSTGRES_PASSWORD=x", "HOOKTRAIL_SERVER_PASSWORD=x"} {
		_, err := loadCompose(t, env)
		if err == nil || !strings.Contains(err.Error(), "as the head of docker-compose.yml says") {
			t.Errorf("with only %s: error %v, want one that says how to make the other", env, err)
		}
	}
}

func TestCompose_Postgres(t *testing.T) {
	t.Parallel()
	postgres := composeProject(t).Services["postgres"]
	if len(postgres.Volumes) != 1 || postgres.Volumes[0].Target != "/var/lib/postgresql" ||
		postgres.Volumes[0].Type != "volume" {
		t.Errorf(
			"volumes %v, want one at /var/lib/postgresql: below that the image chooses a folder by version",
			postgres.Volumes,
		)
	}
	if len(postgres.Ports) > 0 {
		t.Errorf("publishes ports %v: only the server needs the database", postgres.Ports)
	}
}

// TestCompose_Server asks for what the log's promises rest on outside the program: rights, keys and lasting state.
func TestCompose_Server(t *testing.T) {
	t.Parallel()
	project := composeProject(t)
	server := project.Services["server"]

	t.Run("waits for the database and its migrations", func(t *testing.T) {
		t.Parallel()
		want := map[string]string{
			"postgres": types.ServiceConditionHealthy,
			"migrate":  types.ServiceConditionCompletedSuccessfully,
		}
		for name, condition := range want {
			if got := server.DependsOn[name].Condition; got != condition {
				t.Errorf("depends on %s with condition %q, want %q", name, got, condition)
			}
		}
	})
	t.Run("never learns the superuser's password", func(t *testing.T) {
		t.Parallel()
		for name, value := range server.Environment {
			if name == "HOOKTRAIL_MIGRATE_URL" || value != nil && strings.Contains(*value, "superuser-pw") {
				t.Errorf("%s gives the server the rights to change the log", name)
			}
		}
	})
	t.Run("reads the master key from a secret", func(t *testing.T) {
		t.Parallel()
		if len(server.Secrets) != 1 {
			t.Fatalf("secrets %v, want the master key alone", server.Secrets)
		}
		if got, want := *server.Environment["HOOKTRAIL_MASTER_KEY_FILE"], "/run/secrets/"+server.Secrets[0].Source; got != want {
			t.Errorf("HOOKTRAIL_MASTER_KEY_FILE=%s, want %s", got, want)
		}
		if file := project.Secrets[server.Secrets[0].Source].File; filepath.Base(filepath.Dir(file)) != "secrets" {
			t.Errorf("the key is read from %s, want it below secrets/, which git and the image's build ignore", file)
		}
	})
	t.Run("keeps its data directory and runs as nobody's superior", func(t *testing.T) {
		t.Parallel()
		dir := *server.Environment["HOOKTRAIL_DATA_DIR"]
		if !slices.ContainsFunc(
			server.Volumes,
			func(v types.ServiceVolumeConfig) bool { return v.Target == dir && v.Type == "volume" },
		) {
			t.Errorf("no volume at %s: the operator key would be lost with the container", dir)
		}
		if !server.ReadOnly || !slices.Contains(server.CapDrop, "ALL") ||
			!strings.Contains(server.Build.DockerfileInline, "\nUSER 10001\n") {
			t.Error("want a read-only file system, no capabilities and a user of its own")
		}
	})
}

// TestCompose_Head pastes what the file's head tells to paste.
func TestCompose_Head(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, "#   "); ok {
			script.WriteString(command)
		}
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-eu")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(script.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	key, err := os.Open(filepath.Join(dir, "secrets", "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	defer key.Close()
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(key))
	if err != nil {
		t.Fatalf("the master key: %v", err)
	}
	if _, err := aead.New(handle); err != nil {
		t.Fatalf("the master key: %v", err)
	}
	env, err := os.ReadFile(filepath.Join(dir, ".env"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loadCompose(t, strings.Fields(string(env))...); err != nil {
		t.Errorf("with that .env: %v", err)
	}
}

func checkImages(t *testing.T, service types.ServiceConfig) {
	t.Helper()
	images := []string{service.Image}
	if service.Build != nil {
		for _, match := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(service.Build.DockerfileInline, -1) {
			images = append(images, match[1])
		}
		if len(images) != 3 {
			t.Errorf("images %v, want one to build in and one to run in", images)
		}
	}
	for _, image := range images {
		if !pinned.MatchString(image) {
			t.Errorf("image %q has no version: another one would run tomorrow", image)
		}
	}
}

// checkPorts: whoever wants the API on a network puts TLS in front of it.
func checkPorts(t *testing.T, service types.ServiceConfig) {
	t.Helper()
	for _, port := range service.Ports {
		if port.HostIP != "127.0.0.1" {
			t.Errorf("publishes %s on %q, want this machine's loopback only", port.Published, port.HostIP)
		}
	}
}
