package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
)

// classify turns an error of net/http into a code and a text that may be recorded: no URL, no name server's address.
// asked means that the receiver asked for a client certificate when the connection was made, and nothing went over it
// before.
func classify(err error, remote string, asked bool) (ErrorCode, string) {
	to := ""
	if remote != "" {
		to = " " + remote
	}
	var dns *net.DNSError
	var handshake *handshakeError
	switch {
	case errors.Is(err, context.Canceled):
		return Cancelled, "the attempt was cancelled"
	case errors.Is(err, ErrAddressRefused), errors.As(err, &dns):
		return AddressRefused, refusedText
	case isTimeout(err):
		return Timeout, timeoutText(err, to)
	case asked && endsTLS(err):
		return ClientCertificate, "the receiver asked for a client certificate and ended the connection; requests carry none"
	case errors.As(err, &handshake):
		return TLSFailed, handshakeText(handshake.err)
	case isAlert(err):
		return TLSFailed, "the receiver ended the TLS connection: " + err.Error()
	case strings.Contains(err.Error(), "REFUSED_STREAM"):
		return RequestRefused, "the receiver refused the request without reading it (HTTP/2 REFUSED_STREAM)"
	case strings.Contains(err.Error(), "server sent GOAWAY and closed the connection"): // of a stream that it had accepted
		return ConnectionReset, "the connection" + to + " ended before the answer"
	case strings.Contains(err.Error(), "GOAWAY"):
		return RequestRefused, "the receiver ended the connection without reading the request (HTTP/2 GOAWAY)"
	case errors.Is(err, syscall.ECONNREFUSED):
		return ConnectionRefused, "the receiver refused the connection"
	case isReset(err):
		return ConnectionReset, "the connection" + to + " ended before the answer"
	case isDial(err):
		return ConnectionFailed, "no connection could be made: " + reason(err)
	}
	if name := streamReset.FindStringSubmatch(err.Error()); name != nil {
		return ProtocolError, "the receiver reset the request's stream (HTTP/2 " + name[1] + ")"
	}
	return ProtocolError, "the answer could not be read: " + err.Error()
}

// streamReset finds the name in net/http's error for a stream that the receiver has reset.
var streamReset = regexp.MustCompile(`stream error: stream ID \d+; (\w+); received from peer`)

// refusedText is all that a tenant is told of an address that is refused and of a name that isn't known, alike: the
// difference would let names inside the operator's network be found out.
const refusedText = "the receiver's address is unknown or not allowed (hint: the server's own log says which; the operator can " +
	"allow its network with HOOKTRAIL_EGRESS_ALLOW)"

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err,
		&timeout) && timeout.Timeout()
}

func timeoutText(err error, to string) string {
	var handshake *handshakeError
	switch {
	case errors.As(err, &handshake):
		return "the TLS handshake did not end in time"
	case isDial(err):
		return "no connection could be made in time"
	case to == "":
		return "the time was up before there was a connection"
	}
	return "no answer from" + to + " in time"
}

// endsTLS reports whether a receiver ended a TLS connection while it was made, or before it answered anything. In TLS
// 1.3 a client learns only after its side of the handshake that a certificate was demanded (RFC 8446 §4.4.2.4), and the
// alert that says so is lost if the connection is reset meanwhile.
func endsTLS(err error) bool { return isAlert(err) || isReset(err) }

// isAlert reports whether a receiver ended a TLS connection with an alert (RFC 8446 §6.2).
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// isReset reports whether an existing connection ended. net/http has errors of its own, without a type, for a
// kept-alive connection that the receiver closed just as the request went out, and for an HTTP/2 connection that ended:
// before its first stream, while a request waited for it, or because another request couldn't be written.
func isReset(err error) bool {
	for _, ended := range []error{syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, ended) {
			return true
		}
	}
	for _, text := range []string{
		"server closed idle connection", "connection lost", cannotRewind, "client conn could not be established",
		"client conn is closed", "client conn not usable", "client connection force closed",
	} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// cannotRewind is in net/http's error where it would send a request again and can't. Over HTTP/2, no stream was begun.
const cannotRewind = "cannot rewind body after connection loss"

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// reason is the system's word for what went wrong.
func reason(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number.Error()
	}
	return "the address is not usable"
}

// handshakeText says what a receiver's operator must mend.
func handshakeText(err error) string {
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &authority):
		return "the certificate is signed by an unknown authority (a self-signed one needs its CA configured by the operator)"
	case errors.As(err, &hostname):
		return "the certificate is for another host name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired or is not valid yet"
	case errors.As(err, &verification):
		return "the certificate is not valid: " + verification.Err.Error()
	case errors.As(err, &record):
		return "the receiver does not speak TLS at this port"
	case isReset(err):
		return "the receiver ended the TLS handshake"
	}
	return "the TLS handshake failed: " + err.Error()
}
