package migrations

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// scramIterations is what Postgres uses by itself.
const scramIterations = 4096

// scramVerifier is what Postgres keeps instead of the password (RFC 5803 in its own spelling). It is computed here so that no
// statement holds the password: statements end up in server logs and in pg_stat_activity.
func scramVerifier(password string) (string, error) {
	beyondASCII := func(r rune) bool { return r < ' ' || r > '~' }
	if strings.ContainsFunc(password, beyondASCII) {
		// SASLprep maps such passwords; here it would have to map exactly as in Postgres.
		return "", errors.New("the password of the server's database role holds something else than printable ASCII (hint: choose another)")
	}
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	salted, err := pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive a key from the password: %w", err)
	}
	stored := sha256.Sum256(keyed(salted, "Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, b64(salt), b64(stored[:]), b64(keyed(salted, "Server Key"))), nil
}

func keyed(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
