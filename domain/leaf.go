package domain

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxLeafBytes bounds a leaf.
const MaxLeafBytes = 8 << 10

// SaltBytes is the length of a commitment's salt.
const SaltBytes = 32

// Commitment is HMAC-SHA256(salt, part): it binds the leaf to a part without revealing anything about it, and stays
// checkable after the part and its salt are destroyed elsewhere.
type Commitment struct {
	Part  string
	Value [sha256.Size]byte
}

// Commit computes the commitment to a part's bytes (before compression) under a random salt of SaltBytes.
//
// It is HMAC as defined in RFC 2104 §2. Every salt is a new key, and preparing crypto/hmac for one takes longer than hashing
// a typical part.
func Commit(part string, salt, content []byte) Commitment {
	if len(salt) > sha256.BlockSize {
		sum := sha256.Sum256(salt)
		salt = sum[:]
	}
	var inner [sha256.BlockSize]byte
	var outer [sha256.BlockSize + sha256.Size]byte
	copy(inner[:], salt)
	copy(outer[:], salt)
	for i := range inner {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	h := sha256.New()
	h.Write(inner[:])
	h.Write(content)
	h.Sum(outer[:sha256.BlockSize])
	return Commitment{part, sha256.Sum256(outer[:])}
}

// Leaf is the part of an entry that is hashed. Its encoding is canonical JSON (RFC 8785) with string values only; a member without a
// value is absent. No member contains content or anything that a producer chose.
type Leaf struct {
	Origin        string // "<instance name>/<tenant>", of characters that JSON doesn't escape
	Sequence      Sequence
	Kind          Kind
	KindVersion   int
	Stream        Stream
	StreamVersion int
	By            Actor
	RecordedAt    time.Time
	Cause         Sequence // 0: absent
	Critical      bool     // whether a reader that doesn't know the kind must stop; false: absent
	DataKey       UUID     // of the period's secret; zero: absent (the entry has no content)
	Commitments   []Commitment
	// Others are members that this program doesn't know, as a newer one wrote them, in order of their names.
	Others []LeafMember
}

// LeafMember is one member of a leaf: a name, and its value as the JSON string holds it, escapes and all.
type LeafMember struct{ Name, Value string }

// leafTime is the time format of the whole product: RFC 3339 in UTC, at most microseconds, trailing zeros trimmed.
const leafTime = "2006-01-02T15:04:05.999999Z"

// leafMembers are the known names but commitments.
const (
	memberActor, memberCause, memberCredential, memberCritical = "actor", "cause", "credential", "critical"
	memberDataKey, memberKind, memberKindVersion               = "data_key", "kind", "kind_version"
	memberOrigin, memberRecordedAt, memberSequence             = "origin", "recorded_at", "sequence"
	memberStream, memberStreamVersion, memberVersion           = "stream", "stream_version", "v"
	memberCommitment                                           = "commitment."
)

// Append appends the leaf's bytes to b. It sorts Commitments by name.
func (l *Leaf) Append(b []byte) []byte { return l.append(b, l.Others, true) }

// AppendContext appends what the seals of the entry's content authenticate: the leaf without recorded_at and sequence, which
// only the commit decides. So no content can be put into another entry.
func (l *Leaf) AppendContext(b []byte) []byte { return l.append(b, l.Others, false) }

func (l *Leaf) append(b []byte, others []LeafMember, numbered bool) []byte {
	slices.SortFunc(l.Commitments, func(x, y Commitment) int { return strings.Compare(x.Part, y.Part) })
	first := len(b)
	b = append(b, '{')
	member := func(name string) {
		for len(others) > 0 && others[0].Name < name {
			b = append(append(append(append(b, '"'), others[0].Name...), `":"`...), others[0].Value...)
			b = append(b, `",`...)
			others = others[1:]
		}
		if name != lastMember {
			b = append(append(append(b, '"'), name...), `":"`...)
		}
	}
	id := func(name string, id UUID) {
		if !id.IsZero() {
			member(name)
			b = append(id.append(b), `",`...)
		}
	}
	number := func(name string, n int64) {
		member(name)
		b = append(strconv.AppendInt(b, n, 10), `",`...)
	}
	text := func(name, s string) {
		member(name)
		b = append(append(b, s...), `",`...)
	}
	id(memberActor, l.By.Principal)
	if l.Cause != 0 {
		number(memberCause, int64(l.Cause))
	}
	for i := range l.Commitments {
		member(memberCommitment + l.Commitments[i].Part)
		b = append(base64.RawURLEncoding.AppendEncode(b, l.Commitments[i].Value[:]), `",`...)
	}
	id(memberCredential, l.By.Credential)
	if l.Critical {
		text(memberCritical, "1")
	}
	id(memberDataKey, l.DataKey)
	text(memberKind, string(l.Kind))
	number(memberKindVersion, int64(l.KindVersion))
	text(memberOrigin, l.Origin)
	if numbered {
		member(memberRecordedAt)
		b = append(l.RecordedAt.UTC().AppendFormat(b, leafTime), `",`...)
		number(memberSequence, int64(l.Sequence))
	}
	member(memberStream)
	b = append(append(b, l.Stream.Kind...), '/')
	b = append(l.Stream.ID.append(b), `",`...)
	number(memberStreamVersion, int64(l.StreamVersion))
	member(lastMember)
	if len(b) == first+1 {
		return append(b, '}')
	}
	b[len(b)-1] = '}' // over the last comma
	return b
}

// lastMember sorts behind every name of a member; names are ASCII.
const lastMember = "\x7f"

// ParseLeaf reads a leaf's bytes and refuses any that Append would not have written so. Members that it doesn't know are
// kept, for a newer program may have written them; an absent "v" means version 1 of the leaf's form, the only one there is.
func ParseLeaf(b []byte) (Leaf, error) {
	if len(b) > MaxLeafBytes {
		return Leaf{}, fmt.Errorf("leaf: longer than %d bytes", MaxLeafBytes)
	}
	l, ok := parseLeaf(string(b))
	if !ok || !bytes.Equal(l.Append(nil), b) {
		return Leaf{}, errors.New("leaf: not in the canonical form, or not of this kind")
	}
	return l, nil
}

// parseLeaf reads the members one by one. It is lenient, for example about a UUID in capitals: the comparison with what
// Append writes finds such deviations.
func parseLeaf(text string) (l Leaf, ok bool) {
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return l, false
	}
	rest, previous := text[1:len(text)-1], ""
	for rest != "" {
		if previous != "" {
			if rest, ok = strings.CutPrefix(rest, ","); !ok {
				return l, false
			}
		}
		var name, value string
		if name, rest, ok = cutString(rest); !ok || name <= previous || name >= lastMember || strings.Contains(name, `\`) {
			return l, false
		}
		if rest, ok = strings.CutPrefix(rest, ":"); !ok {
			return l, false
		}
		if value, rest, ok = cutString(rest); !ok || !l.set(name, value) {
			return l, false
		}
		previous = name
	}
	return l, true
}

// cutString reads the JSON string at the beginning of s and returns what is between its quotation marks.
func cutString(s string) (content, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", "", false
	}
	plain := true // as nearly every string: canonical as it is
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
			plain = false
		case s[i] < ' ' || s[i] > '~':
			plain = false
		case s[i] == '"':
			token := s[:i+1]
			if !plain {
				var canonical jsontext.Value = []byte(token)
				if canonical.Canonicalize() != nil || string(canonical) != token {
					return "", "", false
				}
			}
			return token[1:i], s[i+1:], true
		}
	}
	return "", "", false
}

// set stores one member and reports whether its value is valid.
func (l *Leaf) set(name, value string) (ok bool) {
	if part, is := strings.CutPrefix(name, memberCommitment); is {
		c := Commitment{Part: part}
		v, err := base64.RawURLEncoding.DecodeString(value)
		if err != nil || len(v) != len(c.Value) || part == "" {
			return false
		}
		c.Value = [sha256.Size]byte(v)
		l.Commitments = append(l.Commitments, c)
		return true
	}
	var err error
	switch name {
	case memberActor:
		l.By.Principal, err = ParseUUID(value)
	case memberCause:
		var n int
		n, err = decimal(value)
		l.Cause = Sequence(n)
	case memberCredential:
		l.By.Credential, err = ParseUUID(value)
	case memberCritical:
		l.Critical = value == "1"
		return l.Critical
	case memberDataKey:
		l.DataKey, err = ParseUUID(value)
	case memberKind:
		l.Kind = Kind(value)
	case memberKindVersion:
		l.KindVersion, err = decimal(value)
	case memberOrigin:
		l.Origin = value
	case memberRecordedAt:
		l.RecordedAt, err = time.Parse(leafTime, value)
	case memberSequence:
		var n int
		n, err = decimal(value)
		l.Sequence = Sequence(n)
	case memberStream:
		l.Stream, err = ParseStream(value)
	case memberStreamVersion:
		l.StreamVersion, err = decimal(value)
	case memberVersion:
		l.Others = append(l.Others, LeafMember{name, value})
		return value == "1"
	default:
		l.Others = append(l.Others, LeafMember{name, value})
	}
	return err == nil
}

// decimal reads an integer that isn't negative.
func decimal(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int(n), err
}
