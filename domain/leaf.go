package domain

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
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
func Commit(part string, salt, content []byte) Commitment {
	mac := hmac.New(sha256.New, salt)
	mac.Write(content)
	c := Commitment{Part: part}
	mac.Sum(c.Value[:0])
	return c
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
	var members map[string]string
	if err := json.Unmarshal(b, &members); err != nil {
		return l, errors.New("leaf: not a JSON object of strings")
	}
	for name, value := range members {
		if err := l.set(name, value); err != nil {
			return l, fmt.Errorf("leaf: member %s: %w", strconv.Quote(name), err)
		}
	}
	if !bytes.Equal(l.Append(nil), b) {
		return l, errors.New("leaf: not in canonical form")
	}
	return l, nil
}

func (l *Leaf) set(name, value string) (err error) {
	if part, ok := strings.CutPrefix(name, "commitment."); ok {
		return l.setCommitment(part, value)
	}
	switch name {
	case "actor":
		l.By.Principal, err = ParseUUID(value)
	case "credential":
		l.By.Credential, err = ParseUUID(value)
	case "data_key":
		l.DataKey, err = ParseUUID(value)
	case "cause":
		l.Cause, err = parseDecimal[Sequence](value)
	case "sequence":
		l.Sequence, err = parseDecimal[Sequence](value)
	case "kind_version":
		l.KindVersion, err = parseDecimal[int](value)
	case "stream_version":
		l.StreamVersion, err = parseDecimal[int](value)
	case "stream":
		l.Stream, err = ParseStream(value)
	case "recorded_at":
		l.RecordedAt, err = time.Parse(leafTime, value)
	case "kind":
		l.Kind = Kind(value)
	case "origin":
		l.Origin = value
	default:
		err = errors.New("unknown")
	}
	return err
}

func (l *Leaf) setCommitment(part, value string) error {
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(b) != sha256.Size {
		return errors.New("not 32 bytes in unpadded base64url")
	}
	l.Commitments = append(l.Commitments, Commitment{Part: part, Value: [sha256.Size]byte(b)})
	return nil
}

func parseDecimal[N ~int | ~int64](s string) (N, error) {
	n, err := strconv.ParseInt(s, 10, 63)
	if err != nil || n < 0 {
		return 0, errors.New("not a decimal integer")
	}
	return N(n), nil
}
