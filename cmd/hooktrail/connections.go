package main

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// writeBound is how long a client may leave what was written to it unread: less than a second's worth of an answer.
	writeBound = 10 * time.Second
	// Where all places are taken, a client keeps its own only if it has asked for something within restBound, and has
	// taken something of what it asked for within stallBound.
	restBound  = 100 * time.Millisecond
	stallBound = time.Second
)

// clientListener accepts the API's connections, so many at a time. Who comes when all places are taken gets the place of
// a connection that is kept for later requests and has rested longest, else of one that doesn't read what it asked for,
// and waits as long as there is neither. So connections that are held cost nobody else an answer. The http.Server has to
// report the connections' states to note.
type clientListener struct {
	net.Listener
	most  int
	freed chan struct{} // has room for one: a place was given back

	mu      sync.Mutex
	open    map[*clientConn]struct{}
	resting list.List // of *clientConn, in the order in which they began to
}

func newClientListener(l net.Listener, connections int) *clientListener {
	return &clientListener{Listener: l, most: connections, freed: make(chan struct{}, 1), open: make(map[*clientConn]struct{})}
}

// Accept implements net.Listener.
func (l *clientListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &clientConn{Conn: conn, listener: l}
	for !l.admit(c) {
		select {
		case <-l.freed:
		case <-time.After(restBound):
		}
	}
	return c, nil
}

// admit gives a connection a place; false: there is none.
func (l *clientListener) admit(c *clientConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.most {
		spare := l.spare(time.Now())
		if spare == nil {
			return false
		}
		l.remove(spare)
		_ = spare.Conn.Close() // the server finds out by itself
	}
	l.open[c] = struct{}{}
	return true
}

// spare returns the connection that is missed least, nil for none.
func (l *clientListener) spare(now time.Time) *clientConn {
	if front := l.resting.Front(); front != nil {
		if c := front.Value.(*clientConn); now.Sub(c.since) >= restBound {
			return c
		}
	}
	for c := range l.open {
		if began := c.writing.Load(); began != 0 && now.Sub(time.Unix(0, began)) >= stallBound {
			return c
		}
	}
	return nil
}

// note implements http.Server's ConnState.
func (l *clientListener) note(conn net.Conn, state http.ConnState) {
	c, ours := conn.(*clientConn)
	if !ours {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, open := l.open[c]; !open {
		return
	}
	switch state {
	case http.StateNew, http.StateIdle:
		if c.rest == nil {
			c.since, c.rest = time.Now(), l.resting.PushBack(c)
		}
	case http.StateActive:
		l.wake(c)
	case http.StateHijacked, http.StateClosed: // its Close gives the place back
	}
}

// wake and remove need mu held.
func (l *clientListener) wake(c *clientConn) {
	if c.rest != nil {
		l.resting.Remove(c.rest)
		c.rest = nil
	}
}

func (l *clientListener) remove(c *clientConn) {
	l.wake(c)
	delete(l.open, c)
}

// clientConn is a connection whose writes each end within writeBound, or by the deadline that was set if that comes
// first.
type clientConn struct {
	net.Conn
	listener *clientListener
	since    time.Time     // when it began to rest; guarded by the listener's mu, as is rest
	rest     *list.Element // nil: a request is under way
	deadline atomic.Int64  // for writes, in Unix nanoseconds; 0: none was set
	writing  atomic.Int64  // since when a write has been under way, in Unix nanoseconds; 0: none is
}

// Close implements net.Conn.
func (c *clientConn) Close() error {
	err := c.Conn.Close()
	l := c.listener
	l.mu.Lock()
	l.remove(c)
	l.mu.Unlock()
	select {
	case l.freed <- struct{}{}:
	default:
	}
	return err
}

// SetWriteDeadline implements net.Conn.
func (c *clientConn) SetWriteDeadline(t time.Time) error {
	c.keep(t)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *clientConn) SetDeadline(t time.Time) error {
	c.keep(t)
	return c.Conn.SetDeadline(t)
}

func (c *clientConn) keep(t time.Time) {
	if t.IsZero() {
		c.deadline.Store(0)
		return
	}
	c.deadline.Store(t.UnixNano())
}

// Write implements net.Conn.
func (c *clientConn) Write(b []byte) (int, error) {
	now := time.Now()
	by := now.Add(writeBound)
	if set := c.deadline.Load(); set != 0 && set < by.UnixNano() {
		by = time.Unix(0, set)
	}
	if err := c.Conn.SetWriteDeadline(by); err != nil {
		return 0, err
	}
	c.writing.Store(now.UnixNano())
	defer c.writing.Store(0)
	return c.Conn.Write(b)
}
