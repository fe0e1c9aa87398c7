// Package wiretest is a network in memory, for tests of what a client does about a server that is slow or silent. Within
// a bubble of testing/synctest both sides have a clock that moves only while all of them wait, so no machine is too slow
// for a test of times.
package wiretest

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
)

// Wire connects clients to one server. It is the server's listener.
type Wire struct {
	name  string
	conns chan net.Conn
	cut   chan struct{}
	once  sync.Once
}

// New returns a wire to the server of that name, which is all of its address.
func New(name string) *Wire {
	return &Wire{name: name, conns: make(chan net.Conn), cut: make(chan struct{})}
}

// Serve answers at the other end of the wire; the caller closes the server, and the connections that clients keep.
func (w *Wire) Serve(handler http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(handler)
	s.Listener.Close()
	s.Listener = w
	s.Start()
	return s
}

// Dial connects a client, whatever address it asks for: http.Transport.DialContext.
func (w *Wire) Dial(ctx context.Context, network, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	err := error(net.ErrClosed)
	select {
	case w.conns <- theirs:
		return ours, nil
	case <-w.cut:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, &net.OpError{Op: "dial", Net: network, Addr: w.Addr(), Err: err}
}

// Accept waits for a client.
func (w *Wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.cut:
		return nil, net.ErrClosed
	}
}

// Close lets nobody connect any more.
func (w *Wire) Close() error {
	w.once.Do(func() { close(w.cut) })
	return nil
}

// Addr is the server's name.
func (w *Wire) Addr() net.Addr { return address(w.name) }

type address string

func (address) Network() string  { return "memory" }
func (a address) String() string { return string(a) }
