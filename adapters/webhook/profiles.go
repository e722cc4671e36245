package webhook

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

//go:embed profiles/*.json
var embedded embed.FS

// Profiles is a set of profiles. It is immutable and safe for concurrent use.
type Profiles struct {
	latest   map[string]*Profile // by name
	byDigest map[string]*Profile
	built    map[string]bool // names that the program brings along
}

// Embedded returns the profiles that the program brings along, in every version that was ever released.
func Embedded() (*Profiles, error) {
	set := &Profiles{latest: map[string]*Profile{}, byDigest: map[string]*Profile{}, built: map[string]bool{}}
	paths, err := fs.Glob(embedded, "profiles/*.json")
	if err != nil {
		return nil, fmt.Errorf("list the embedded profiles: %w", err)
	}
	for _, path := range paths {
		document, err := embedded.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read embedded profile %s: %w", path, err)
		}
		p, err := ParseProfile(document)
		if err != nil {
			return nil, fmt.Errorf("embedded profile %s: %w", path, err)
		}
		set.add(p)
	}
	set.built = make(map[string]bool, len(set.latest))
	for name := range set.latest {
		set.built[name] = true
	}
	return set, nil
}

func (s *Profiles) add(p *Profile) {
	s.byDigest[p.Digest] = p
	if have := s.latest[p.Name]; have == nil || have.Version < p.Version {
		s.latest[p.Name] = p
	}
}

// With returns a set that has an operator's profile as well. It is refused if it takes the name of an embedded one, or
// a name and version that another document has; the same document again changes nothing.
func (s *Profiles) With(p *Profile) (*Profiles, error) {
	if s.built[p.Name] {
		return nil, &DocumentError{[]Fault{{
			Pointer: "/name",
			Text:    "is the name of a profile that the program brings along: choose another",
		}}}
	}
	for _, have := range s.byDigest {
		if have.Name == p.Name && have.Version == p.Version && have.Digest != p.Digest {
			return nil, &DocumentError{[]Fault{{
				Pointer: "/version",
				Text:    "is taken by another document of this name: a change needs a new version",
			}}}
		}
	}
	next := &Profiles{maps.Clone(s.latest), maps.Clone(s.byDigest), s.built}
	next.add(p)
	return next, nil
}

// Keeping returns a set in which a profile is found by its digest too, but not by its name: that one is another's by
// now, and endpoints that were made with it go on.
func (s *Profiles) Keeping(p *Profile) *Profiles {
	next := &Profiles{s.latest, maps.Clone(s.byDigest), s.built}
	next.byDigest[p.Digest] = p
	return next
}

// Named returns a profile in its latest version, or nil.
func (s *Profiles) Named(name string) *Profile { return s.latest[name] }

// ByDigest returns the profile whose document has a digest, or nil.
func (s *Profiles) ByDigest(digest string) *Profile { return s.byDigest[digest] }

// All returns every profile, by name and version.
func (s *Profiles) All() []*Profile {
	return slices.SortedFunc(maps.Values(s.byDigest), func(a, b *Profile) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return a.Version - b.Version
	})
}
