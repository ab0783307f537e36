package loopback

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// tracker knows the listeners and open connections of one server, so that all
// can be cut at once. The libraries forget connections that were accepted at
// the moment of their own Close, and do not wait for their goroutines.
type tracker struct {
	accepted atomic.Int64

	mutex     sync.Mutex
	closed    bool
	listeners []net.Listener
	open      map[net.Conn]struct{}
	users     sync.WaitGroup // goroutines that serve a connection
}

func newTracker() *tracker { return &tracker{open: make(map[net.Conn]struct{})} }

// track returns a listener whose connections the tracker knows.
func (t *tracker) track(l net.Listener) net.Listener {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.listeners = append(t.listeners, l)
	return &trackedListener{Listener: l, tracker: t}
}

// cut closes every open connection.
func (t *tracker) cut() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for conn := range t.open {
		conn.Close() // the peer sees it; an error here means that it is closed already
	}
}

// close closes listeners and connections, and waits until the goroutines that
// serve them have let go.
func (t *tracker) close() error {
	t.mutex.Lock()
	t.closed = true
	var errs []error
	for _, l := range t.listeners {
		errs = append(errs, l.Close())
	}
	t.listeners = nil
	t.mutex.Unlock()
	t.cut()
	t.users.Wait()
	return errors.Join(errs...)
}

type trackedListener struct {
	net.Listener
	tracker *tracker
}

func (l *trackedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	t := l.tracker
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.closed {
		conn.Close()
		return nil, net.ErrClosed
	}
	t.accepted.Add(1)
	t.open[conn] = struct{}{}
	t.users.Add(1)
	return &trackedConn{Conn: conn, tracker: t}, nil
}

// trackedConn is what the protocol's goroutine holds; closing it is the last
// thing that goroutine does.
type trackedConn struct {
	net.Conn
	tracker *tracker
	once    sync.Once
}

func (c *trackedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.tracker.mutex.Lock()
		delete(c.tracker.open, c.Conn)
		c.tracker.mutex.Unlock()
		c.tracker.users.Done()
	})
	return err
}
