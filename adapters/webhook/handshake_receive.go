package webhook

import (
	"encoding/json"
	"net/http"
)

// AnswerHandshake is the receiver's side of a handshake: for a request that is one it sets the headers of the answer
// that passes it and returns its body, which is empty for CloudEvents' validation. Whether the request is to be
// believed, where it is signed, Verify says.
func AnswerHandshake(r *http.Request, body []byte, header http.Header) (answer []byte, is bool) {
	if origin := r.Header.Get(headerRequestOrigin); r.Method == http.MethodOptions && origin != "" {
		header.Set(headerAllowedOrigin, origin)
		header.Set(headerAllowedRate, "*")
		header.Set("Allow", "POST")
		return nil, true
	}
	var check struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	if r.Method != http.MethodPost || json.Unmarshal(body, &check) != nil || check.Type != OwnershipCheckType {
		return nil, false
	}
	header.Set("Content-Type", "text/plain; charset=utf-8")
	return []byte(check.Challenge), true
}
