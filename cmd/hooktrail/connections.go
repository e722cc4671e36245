package main

import (
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
)

// writeBound is how long a client may leave what was written to it unread: less than a second's worth of an answer.
const writeBound = 10 * time.Second

// clientListener accepts the API's connections, so many at a time. Whoever comes beyond waits, and those that keep a
// place without reading what they asked for lose it.
func clientListener(l net.Listener, connections int) net.Listener {
	return netutil.LimitListener(impatient{l}, connections)
}

// impatient makes connections whose writes each end within writeBound, or by the deadline that was set if that comes
// first.
type impatient struct{ net.Listener }

// Accept implements net.Listener.
func (l impatient) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &impatientConn{Conn: c}, nil
}

type impatientConn struct {
	net.Conn
	deadline atomic.Int64 // for writes, in Unix nanoseconds; 0: none was set
}

// SetWriteDeadline implements net.Conn.
func (c *impatientConn) SetWriteDeadline(t time.Time) error {
	c.keep(t)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *impatientConn) SetDeadline(t time.Time) error {
	c.keep(t)
	return c.Conn.SetDeadline(t)
}

func (c *impatientConn) keep(t time.Time) {
	if t.IsZero() {
		c.deadline.Store(0)
		return
	}
	c.deadline.Store(t.UnixNano())
}

// Write implements net.Conn.
func (c *impatientConn) Write(b []byte) (int, error) {
	by := time.Now().Add(writeBound)
	if set := c.deadline.Load(); set != 0 && set < by.UnixNano() {
		by = time.Unix(0, set)
	}
	if err := c.Conn.SetWriteDeadline(by); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
