package localpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is whom the programs of Postgres run as. The zero value is the account of this process.
type account struct {
	name     string // for errors
	uid, gid uint32
	switched bool // another account than this process's: only root can
}

// runAs decides whom to run as: root must give way, to the owner of an existing data directory first.
func runAs(data string) (account, error) {
	if os.Geteuid() != 0 {
		return account{name: "this user"}, nil
	}
	info, err := os.Stat(data)
	switch {
	case err == nil:
		owner := info.Sys().(*syscall.Stat_t)
		if owner.Uid == 0 {
			return account{}, fmt.Errorf("%s is owned by root, as whom Postgres refuses to run (hint: chown -R postgres: %s)", data, data)
		}
		return account{name: fmt.Sprintf("user id %d", owner.Uid), uid: owner.Uid, gid: owner.Gid, switched: true}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return account{}, fmt.Errorf("look at the data directory: %w", err)
	}
	for _, name := range []string{"postgres", "nobody"} {
		if found, err := lookUp(name); err == nil {
			return found, nil
		}
	}
	return account{}, errors.New("running as root, and there is neither a user postgres nor nobody to run Postgres as (hint: adduser --system postgres, or start as an ordinary user)")
}

func lookUp(name string) (account, error) {
	found, err := user.Lookup(name)
	if err != nil {
		return account{}, err
	}
	// Signed: macOS shows nobody as -2.
	uid, err := strconv.ParseInt(found.Uid, 10, 64)
	if err != nil {
		return account{}, fmt.Errorf("user id of %s: %w", name, err)
	}
	gid, err := strconv.ParseInt(found.Gid, 10, 64)
	if err != nil {
		return account{}, fmt.Errorf("group id of %s: %w", name, err)
	}
	if uid == 0 {
		return account{}, fmt.Errorf("%s is root", name)
	}
	return account{name: "user " + name, uid: uint32(uid), gid: uint32(gid), switched: true}, nil
}

// attributes start a child as the account, in a process group of its own so that Ctrl-C reaches us first.
func (a account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.switched {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attr
}

// own hands a file of ours to the account.
func (a account) own(path string) error {
	if !a.switched {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

// reach fails if the account can't pass through a directory above path.
func (a account) reach(path string) error {
	if !a.switched {
		return nil
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("look at %s: %w", dir, err)
		}
		if !a.passes(info) {
			return fmt.Errorf("the server runs as %s, who can't pass through %s (mode %o) to reach %s "+
				"(hint: chmod o+x %s, or choose a data directory elsewhere)", a.name, dir, info.Mode().Perm(), path, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func (a account) passes(dir fs.FileInfo) bool {
	owner := dir.Sys().(*syscall.Stat_t)
	switch {
	case owner.Uid == a.uid:
		return dir.Mode()&0o100 != 0
	case owner.Gid == a.gid:
		return dir.Mode()&0o010 != 0
	}
	return dir.Mode()&0o001 != 0
}
