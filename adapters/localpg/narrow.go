package localpg

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
)

// Narrow takes rights to a file or directory away that go beyond most, and warns of it: accounts that had them may know
// what is in it. What isn't there, or is narrow enough, is left as it is.
func Narrow(path string, most fs.FileMode, log *slog.Logger) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the rights to %s: %w", path, err)
	}
	have := info.Mode().Perm()
	if have&^most == 0 {
		return nil
	}
	if err := os.Chmod(path, have&most); err != nil {
		return fmt.Errorf("other accounts have rights to %s (mode %04o), which can't be taken away: %w (hint: chmod %04o %s)",
			path, have, err, have&most, path)
	}
	log.Warn("other accounts had rights to a private file or directory, which were taken away", slog.String("path", path),
		slog.String("mode_before", fmt.Sprintf("%04o", have)), slog.String("mode_now", fmt.Sprintf("%04o", have&most)))
	return nil
}
