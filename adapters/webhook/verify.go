package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Why a receiver must not believe a request.
var (
	ErrUnsigned     = errors.New("the request carries no signature")
	ErrBadSignature = errors.New("no signature of the request was made with a known key")
	ErrStale        = errors.New("the request's time is too far from now")
)

// Verify checks a received request as a receiver of the profile does: one of the signatures must be by one of the keys,
// over exactly this body. Where the format signs a time, it must lie within the tolerance of now. Requests of a format
// that signs nothing are ErrUnsigned.
func Verify(p *Profile, keys []*Key, header http.Header, body []byte, now time.Time, tolerance time.Duration) error {
	s := p.signature
	if s == nil || header.Get(s.header) == "" {
		return ErrUnsigned
	}
	before, after, err := s.signedText(p, header)
	if err != nil {
		return err
	}
	signatures := []string{header.Get(s.header)}
	if s.separator != "" {
		signatures = strings.Split(signatures[0], s.separator)
	}
	for _, signature := range signatures {
		for _, key := range keys {
			if s.made(signature, key, before, body, after) {
				return s.fresh(p, header, now, tolerance)
			}
		}
	}
	return ErrBadSignature
}

// signedText puts together what is signed before and after the body, from the headers that carry it.
func (s *signatureRule) signedText(p *Profile, header http.Header) (before, after []byte, err error) {
	for _, part := range s.content {
		before = append(before, part.literal...)
		switch part.field {
		case fieldNone:
		case fieldBody:
			before, after = after, before // collect what follows
		default:
			value := header.Get(p.headerOf(part.field))
			if value == "" {
				return nil, nil, ErrUnsigned
			}
			before = append(before, value...)
		}
	}
	return after, before, nil
}

// made reports whether a signature was made with a key.
func (s *signatureRule) made(signature string, key *Key, before, body, after []byte) bool {
	prefix, ok := s.prefixes[key.algorithm]
	encoded, matches := strings.CutPrefix(signature, prefix)
	if !ok || !matches {
		return false
	}
	var raw []byte
	var err error
	if s.hex {
		raw, err = hex.DecodeString(encoded)
	} else {
		raw, err = base64.StdEncoding.DecodeString(encoded)
	}
	if err != nil {
		return false
	}
	return key.verify(raw, before, body, after)
}

// verify checks a raw signature.
func (k *Key) verify(signature, before, body, after []byte) bool {
	if k.algorithm == ed25519Alg {
		whole := append(append(append([]byte(nil), before...), body...), after...)
		return ed25519.Verify(k.public, whole, signature)
	}
	return hmac.Equal(signature, k.sign(nil, before, body, after))
}

// fresh checks the signed time, where there is one.
func (s *signatureRule) fresh(p *Profile, header http.Header, now time.Time, tolerance time.Duration) error {
	for _, part := range s.content {
		if part.field != fieldTimestamp {
			continue
		}
		seconds, err := strconv.ParseInt(header.Get(p.headerOf(fieldTimestamp)), 10, 64)
		if err != nil {
			return ErrStale
		}
		if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
			return ErrStale
		}
	}
	return nil
}
