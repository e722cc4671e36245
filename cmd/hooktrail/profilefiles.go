package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
)

// profileFlags name wire formats that the operator adds.
type profileFlags struct {
	Profiles []string `name:"profiles" env:"HOOKTRAIL_PROFILES" help:"Files with wire formats to add at the start, or folders of them (*.json), comma-separated."`
}

// profileFile is a wire format that was read from a file.
type profileFile struct {
	path    string
	profile *webhook.Profile
}

// read parses every file: one that is wrong stops the start, before anything is changed.
func (f profileFlags) read() ([]profileFile, error) {
	set, err := webhook.Embedded()
	if err != nil {
		return nil, err
	}
	paths, err := f.paths()
	if err != nil {
		return nil, err
	}
	files := make([]profileFile, 0, len(paths))
	for _, path := range paths {
		document, err := readFile(path)
		if err != nil {
			return nil, usagef("HOOKTRAIL_PROFILES: %v", err)
		}
		p, err := webhook.ParseProfile(document)
		if err == nil {
			set, err = set.With(p)
		}
		if err != nil {
			return nil, usagef("HOOKTRAIL_PROFILES: %s: %v", path, err)
		}
		files = append(files, profileFile{path, p})
	}
	return files, nil
}

// readFile reads a file. A pipe would hold the start up, and a device might never end.
func readFile(path string) ([]byte, error) {
	about, err := os.Stat(path)
	if err == nil && !about.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func (f profileFlags) paths() ([]string, error) {
	var paths []string
	for _, path := range f.Profiles { // an empty one is no folder: the working directory isn't meant
		about, err := os.Stat(path)
		if err != nil {
			return nil, usagef("HOOKTRAIL_PROFILES: %v", err)
		}
		if !about.IsDir() {
			paths = append(paths, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, usagef("HOOKTRAIL_PROFILES: %v", err)
		}
		before := len(paths)
		for _, entry := range entries { // in order of their names
			if strings.HasSuffix(entry.Name(), ".json") && !entry.IsDir() {
				paths = append(paths, filepath.Join(path, entry.Name()))
			}
		}
		if len(paths) == before {
			return nil, usagef("HOOKTRAIL_PROFILES: %s holds no *.json", path)
		}
	}
	return slices.Compact(paths), nil
}

// addBuiltIn puts the wire formats that the program brings along into the instance's log, unless they are there: a
// start of a newer program adds those that are new.
func (s *server) addBuiltIn(ctx context.Context) error {
	if err := s.profiles.Current(ctx); err != nil {
		return err
	}
	added := make(map[string]bool)
	for _, p := range s.directory.Profiles() {
		added[p.Digest] = true
	}
	groups := builtInProfiles(s.profiles.Embedded(), added)
	for i, outcome := range s.entries.Append(ctx, groups...) {
		taken := new(domain.ClaimedError)
		if err := outcome.Err; err != nil && !errors.As(err, &taken) { // taken: another node was quicker
			return fmt.Errorf("add the profile %s: %w", groups[i].Drafts[0].Fact.(*domain.ProfileAdded).Profile.Name, err)
		}
	}
	return nil
}

// builtInProfiles are the groups that add those of the program's wire formats whose digests aren't there. Their claim
// is the digest's: an operator may have added another format of the name, before the program took it.
func builtInProfiles(embedded *webhook.Profiles, added map[string]bool) []domain.Group {
	var groups []domain.Group
	for _, p := range embedded.All() {
		if added[p.Digest] {
			continue
		}
		g := openapi.AddProfile(p.Offer(), domain.Actor{}, "")
		g.Claims[0].Scope, g.Claims[0].Key = "built-in profile", p.Digest
		groups = append(groups, g)
	}
	return groups
}

// addProfiles puts the wire formats of the files into the instance's log, unless they stand there already.
func (s *server) addProfiles(ctx context.Context) error {
	if len(s.profileFiles) == 0 {
		return nil
	}
	if err := s.profiles.Current(ctx); err != nil {
		return err
	}
	for _, file := range s.profileFiles {
		if s.profiles.All().ByDigest(file.profile.Digest) != nil {
			continue
		}
		_, err := domain.AppendOne(
			ctx,
			s.entries,
			openapi.AddProfile(file.profile.Offer(), domain.Actor{}, "HOOKTRAIL_PROFILES"),
		)
		taken := new(domain.ClaimedError)
		switch {
		case errors.As(err, &taken) && !taken.Same:
			return usagef(
				"HOOKTRAIL_PROFILES: %s: /version is taken by another document of this name that was added before: a change needs a new version",
				file.path,
			)
		case err != nil && !errors.As(err, &taken): // taken: another node was quicker
			return fmt.Errorf("add the profile of %s: %w", file.path, err)
		}
	}
	return s.profiles.Current(ctx)
}
