package localpg

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func passwordFile(dir, role string) string { return filepath.Join(dir, role+".password") }

// password reads the role's password and makes it if there is none. It is on disk before it is used anywhere.
func password(dir, role string, as account) (string, error) {
	path := passwordFile(dir, role)
	text, err := os.ReadFile(path)
	if err == nil && strings.TrimSpace(string(text)) != "" {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the password of role %s: %w", role, err)
	}
	made := rand.Text()
	if err := writeSecret(path, made, as); err != nil {
		return "", fmt.Errorf("keep the password of role %s: %w", role, err)
	}
	return made, syncDir(dir)
}

// writeSecret puts text into a file that nobody else can read, at no moment.
func writeSecret(path, text string, as account) error {
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	// An older file keeps its mode when truncated.
	err = errors.Join(file.Chmod(0o600), as.own(file.Name()))
	if err == nil {
		_, err = file.WriteString(text + "\n")
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
