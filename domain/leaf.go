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
)

// MaxLeafBytes bounds a leaf.
const MaxLeafBytes = 8 << 10

// SaltBytes is the length of a commitment's salt.
const SaltBytes = 32

// Commitment is HMAC-SHA256(salt, part): it binds the leaf to a part without telling anything about it, and stays
// checkable after the part and its salt are destroyed elsewhere.
type Commitment struct {
	Part  string
	Value [sha256.Size]byte
}

// Commit computes the commitment to a part's bytes (before compression) under a random salt of SaltBytes.
//
// It is HMAC as RFC 2104 §2 has it. Every salt is a new key, and to make crypto/hmac ready for one takes longer than to hash
// a usual part.
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

// Leaf is what is hashed of an entry. Its encoding is canonical JSON (RFC 8785) with string values only; members that
// are none are absent. No member holds content, nor anything a producer chose.
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
	DataKey       UUID     // zero: absent (the entry has no content)
	Commitments   []Commitment
}

// leafTime is the time format of the whole product: RFC 3339 in UTC, at most microseconds, trailing zeros trimmed.
const leafTime = "2006-01-02T15:04:05.999999Z"

// Append appends the leaf's bytes to b. Commitments are written in the order of their names.
func (l *Leaf) Append(b []byte) []byte {
	b = append(b, '{')
	if !l.By.Principal.IsZero() {
		b = append(l.By.Principal.append(append(b, `"actor":"`...)), `",`...)
	}
	if l.Cause != 0 {
		b = append(strconv.AppendInt(append(b, `"cause":"`...), int64(l.Cause), 10), `",`...)
	}
	slices.SortFunc(l.Commitments, func(x, y Commitment) int { return strings.Compare(x.Part, y.Part) })
	for i := range l.Commitments {
		b = append(append(append(b, `"commitment.`...), l.Commitments[i].Part...), `":"`...)
		b = append(base64.RawURLEncoding.AppendEncode(b, l.Commitments[i].Value[:]), `",`...)
	}
	if !l.By.Credential.IsZero() {
		b = append(l.By.Credential.append(append(b, `"credential":"`...)), `",`...)
	}
	if !l.DataKey.IsZero() {
		b = append(l.DataKey.append(append(b, `"data_key":"`...)), `",`...)
	}
	b = append(append(append(b, `"kind":"`...), l.Kind...), `","kind_version":"`...)
	b = append(strconv.AppendInt(b, int64(l.KindVersion), 10), `","origin":"`...)
	b = append(append(b, l.Origin...), `","recorded_at":"`...)
	b = append(l.RecordedAt.UTC().AppendFormat(b, leafTime), `","sequence":"`...)
	b = append(strconv.AppendInt(b, int64(l.Sequence), 10), `","stream":"`...)
	b = append(append(b, l.Stream.Kind...), '/')
	b = append(l.Stream.ID.append(b), `","stream_version":"`...)
	return append(strconv.AppendInt(b, int64(l.StreamVersion), 10), `"}`...)
}

// ParseLeaf reads a leaf's bytes and refuses any that Append would not have written so.
func ParseLeaf(b []byte) (Leaf, error) {
	var l Leaf
	if len(b) > MaxLeafBytes {
		return l, fmt.Errorf("leaf: longer than %d bytes", MaxLeafBytes)
	}
	s := scan{text: string(b)}
	l.scan(&s)
	if s.bad || s.text != "" || !bytes.Equal(l.Append(nil), b) {
		return Leaf{}, errors.New("leaf: not in the canonical form, or not of this kind")
	}
	return l, nil
}

// scan goes through the members in their order. What it is lenient about, such as a UUID in capitals, comparing with Append finds.
func (l *Leaf) scan(s *scan) {
	s.after(`{`)
	if s.is(`"actor":`) {
		l.By.Principal = s.uuid()
		s.after(`,`)
	}
	if s.is(`"cause":`) {
		l.Cause = Sequence(s.decimal())
		s.after(`,`)
	}
	for !s.bad && s.is(`"commitment.`) {
		c := s.commitment()
		if n := len(l.Commitments); n > 0 && l.Commitments[n-1].Part >= c.Part {
			s.bad = true // a duplicate, which Append would write as well
		}
		l.Commitments = append(l.Commitments, c)
		s.after(`,`)
	}
	if s.is(`"credential":`) {
		l.By.Credential = s.uuid()
		s.after(`,`)
	}
	if s.is(`"data_key":`) {
		l.DataKey = s.uuid()
		s.after(`,`)
	}
	l.Kind = Kind(s.after(`"kind":`).string())
	l.KindVersion = int(s.after(`,"kind_version":`).decimal())
	l.Origin = s.after(`,"origin":`).string()
	l.RecordedAt = s.after(`,"recorded_at":`).time()
	l.Sequence = Sequence(s.after(`,"sequence":`).decimal())
	l.Stream = s.after(`,"stream":`).stream()
	l.StreamVersion = int(s.after(`,"stream_version":`).decimal())
	s.after(`}`)
}

// decimal takes a string that holds an integer, not negative.
func (s *scan) decimal() int64 {
	s.after(`"`)
	n := s.int()
	s.after(`"`)
	s.bad = s.bad || n < 0
	return n
}

func (s *scan) stream() Stream {
	stream, err := ParseStream(s.string())
	s.bad = s.bad || err != nil
	return stream
}

// commitment takes the rest of a member's name, and its value.
func (s *scan) commitment() (c Commitment) {
	c.Part = s.content()
	value, err := base64.RawURLEncoding.DecodeString(s.after(`:`).string())
	if err != nil || len(value) != len(c.Value) {
		s.bad = true
		return c
	}
	c.Value = [sha256.Size]byte(value)
	return c
}
