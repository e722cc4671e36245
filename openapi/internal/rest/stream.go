package rest

import (
	"crypto/sha256"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Bounds of a body that is read as it comes.
const (
	streamIdle  = 30 * time.Second // without a byte
	streamBound = 30 * time.Minute // as a whole
)

// Streaming has the operation read bodies of some content types itself, as they come: the gate holds none of them. Their
// length is the operation's to bound.
func Streaming(op *huma.Operation, contentTypes ...string) {
	access, _ := op.Metadata[accessKey].(Access)
	access.Streams = contentTypes
	op.Metadata[accessKey] = access
}

// streams prepares a request whose body is read as it comes; false: it isn't one.
func (r *Request) streams(w http.ResponseWriter, access Access) bool {
	base, params, err := mime.ParseMediaType(r.HTTP.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") || !slices.Contains(access.Streams, base) ||
		r.HTTP.Header.Get("Content-Encoding") != "" { // which is refused like any other
		return false
	}
	r.ContentType = base
	r.HTTP.Body = &slowBody{
		ReadCloser: r.HTTP.Body, rc: http.NewResponseController(w), opens: r.StillOpens,
		until: time.Now().Add(streamBound),
	}
	return true
}

// slowBody moves the connection's deadlines on while a body comes. A server without deadlines is bounded by bytes alone.
type slowBody struct {
	io.ReadCloser
	rc    *http.ResponseController
	opens func() bool // whether the request's key still does
	until time.Time
}

func (b *slowBody) Read(p []byte) (int, error) {
	if !b.opens() { // what waits mustn't outlive a revocation
		return 0, io.ErrUnexpectedEOF
	}
	now := time.Now()
	deadline := now.Add(streamIdle)
	if deadline.After(b.until) {
		deadline = b.until
	}
	_ = b.rc.SetReadDeadline(deadline)
	_ = b.rc.SetWriteDeadline(now.Add(2 * time.Minute)) // for the answer behind it
	return b.ReadCloser.Read(p)
}

// Streamed tells the request the hash of the body that the operation has read, by which a repetition is told from another
// request.
func (r *Request) Streamed(sum [sha256.Size]byte) {
	r.digest = sha256.Sum256(append(r.digest[:], sum[:]...))
}
