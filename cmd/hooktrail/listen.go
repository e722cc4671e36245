package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/adapters/webhook"
)

type listenCommand struct {
	Listen     string        `name:"listen" default:"127.0.0.1:9099" help:"Where to receive."`
	Profile    string        `name:"profile" default:"standard-webhooks" help:"The wire format that is expected: the name of one that the program brings along, or the file of one of your own."`
	SigningKey []string      `name:"signing-key" env:"HOOKTRAIL_SIGNING_KEY" help:"The endpoint's signing key, as it was shown; several during a rotation. Without one, signatures aren't checked."`
	Status     int           `name:"status" default:"200" help:"Answer with this status when the signature is right."`
	Tolerance  time.Duration `name:"tolerance" default:"5m" help:"How old a signed time may be."`
	MaxBody    int64         `name:"max-body" default:"1048576" help:"Refuse bodies of more bytes."`
}

// listener prints one request at a time.
type listener struct {
	listenCommand
	profile *webhook.Profile
	keys    []*webhook.Key
	mu      sync.Mutex // guards out
	out     io.Writer
}

// Run receives until it is interrupted.
func (c listenCommand) Run(ctx context.Context, p process) error {
	l, err := c.listener(p.stdout)
	if err != nil {
		return err
	}
	socket, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	server := &http.Server{Handler: l, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	fmt.Fprintf(p.stderr, "receiving %s webhooks on http://%s/ (Ctrl-C ends)\n", c.Profile, socket.Addr())
	if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (c listenCommand) listener(out io.Writer) (*listener, error) {
	profiles, err := webhook.Embedded()
	if err != nil {
		return nil, err
	}
	l := &listener{listenCommand: c, profile: profiles.Named(c.Profile), out: out}
	if document, err := os.ReadFile(c.Profile); l.profile == nil && err == nil {
		if l.profile, err = webhook.ParseProfile(document); err != nil {
			return nil, usagef("--profile %s: %v", c.Profile, err)
		}
	}
	if l.profile == nil {
		return nil, usagef(
			"there is no profile %q: name one of %s, or the file of one of your own",
			c.Profile,
			strings.Join(names(profiles), ", "),
		)
	}
	for _, text := range c.SigningKey {
		key, err := l.profile.ParseVerifyingKey(text)
		if err != nil {
			return nil, usagef("--signing-key: %v", err)
		}
		l.keys = append(l.keys, key)
	}
	if c.Status < 200 || c.Status > 599 {
		return nil, usagef("--status lies between 200 and 599")
	}
	return l, nil
}

// ServeHTTP implements http.Handler: it refuses what isn't signed as the profile says, passes handshakes, and prints
// everything.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, l.MaxBody))
	if err != nil {
		http.Error(w, "the body is too large or broke off", http.StatusBadRequest)
		return
	}
	verdict, status := "not checked (no --signing-key)", l.Status
	answer, handshake := webhook.AnswerHandshake(r, body, w.Header())
	if handshake {
		status = http.StatusOK
	}
	if len(l.keys) > 0 {
		err := webhook.Verify(l.profile, l.keys, r.Header, body, time.Now(), l.Tolerance)
		switch {
		case err == nil:
			verdict = "valid"
		case handshake && errors.Is(err, webhook.ErrUnsigned):
			verdict = "none, as some handshakes have"
		default:
			verdict, status, answer = "INVALID: "+err.Error(), http.StatusUnauthorized, nil
		}
	}
	l.print(r, body, verdict, status)
	w.WriteHeader(status)
	_, _ = w.Write(answer) // the sender is gone: nothing is left to do
}

func (l *listener) print(r *http.Request, body []byte, verdict string, status int) {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s %s\n", r.Method, r.URL.RequestURI(), r.Proto)
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&text, "%s: %s\n", strings.ToLower(name), strings.Join(r.Header[name], ", "))
	}
	fmt.Fprintf(&text, "\n%s\n\nsignature: %s; answered %d\n----\n", printable(body), verdict, status)
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.out, text.String()) // a closed terminal is nothing to answer the sender with
}

// printable keeps a sender from writing control sequences to the terminal.
func printable(body []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(string(body), "\uFFFD"))
}
