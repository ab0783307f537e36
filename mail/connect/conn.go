package connect

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"helpdesk/mail"
)

// maxLine is the longest line that ReadLine takes, in bytes. RFC 5321 section
// 4.5.3.1.5 allows 512 for SMTP; capability lists of IMAP servers reach 2,000.
const maxLine = 8 << 10

// ErrLineTooLong is returned by ReadLine when the server sends no line end.
var ErrLineTooLong = fmt.Errorf("the server sent more than %d bytes without a line end", maxLine)

// Conn is a connection to a mail server and a net.Conn. Its deadlines roll:
// each Read and each Write may take so long, so that a large mail on a slow
// line never times out while it moves, and a silent server always does.
//
// One goroutine reads and one writes; Close, SetIdle, Failure, BytesRead, Note
// and ServerWords may be called by any.
type Conn struct {
	settings  Settings
	raw       net.Conn // the TCP connection; deadlines and Close go to it directly
	inner     net.Conn // raw, or TLS on top of it
	encrypted bool
	proxied   bool   // raw goes to a proxy
	buf       []byte // received or replayed, not read yet
	readErr   error  // what ended reading; a library that reads again gets it again, without waiting

	read atomic.Int64

	stage stage

	certificate struct{ asked, shown bool } // what the server did about a client certificate

	mu      sync.Mutex
	idle    time.Duration // 0: silence is allowed
	failure error
	words   words
}

// Read reads what the server sent. When nothing comes for the allowed silence
// it fails with a net.Error whose Timeout is true.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.buf) > 0 {
		n := copy(p, c.buf)
		if c.buf = c.buf[n:]; len(c.buf) == 0 {
			c.buf = nil
		}
		return n, nil
	}
	return c.receive(p)
}

// receive reads from the network.
func (c *Conn) receive(p []byte) (int, error) {
	if c.readErr != nil {
		return 0, c.readErr
	}
	if err := c.arm(); err != nil {
		return 0, err
	}
	n, err := c.inner.Read(p)
	c.read.Add(int64(n))
	if n > 0 && c.settings.Protocol == "smtp" {
		// Every line of an SMTP server is an answer. IMAP and POP3 send mails
		// too: there the reader of the protocol calls Note.
		c.mu.Lock()
		c.words.write(p[:n])
		c.mu.Unlock()
	}
	if err != nil {
		err = c.refusedCertificate(err)
		c.readErr = err
		c.latch(err)
	}
	return n, err
}

// arm starts the allowed silence anew. SetIdle changes the deadline of a Read
// that waits already, hence the lock around both.
func (c *Conn) arm() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle <= 0 {
		return nil
	}
	if err := c.raw.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
		c.latchLocked(err)
		return err
	}
	return nil
}

// Write sends p; it fails when the server takes nothing for Settings.IdleTimeout.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.raw.SetWriteDeadline(time.Now().Add(c.settings.IdleTimeout)); err != nil {
		c.latch(err)
		return 0, err
	}
	n, err := c.inner.Write(p)
	if err != nil {
		c.latch(err)
	}
	return n, err
}

// SetIdle sets the silence that is allowed from now on, also for a Read that
// waits already; 0 allows any, which is right while no answer is awaited.
func (c *Conn) SetIdle(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = d
	var deadline time.Time
	if d > 0 {
		deadline = time.Now().Add(d)
	}
	if err := c.raw.SetReadDeadline(deadline); err != nil {
		c.latchLocked(err)
	}
}

// ReadLine reads one line, without its line end, for the part of a
// conversation that is spoken before a protocol library takes over.
func (c *Conn) ReadLine() (string, error) {
	for {
		if i := bytes.IndexByte(c.buf, '\n'); i >= 0 {
			line := string(bytes.TrimRight(c.buf[:i], "\r"))
			c.buf = c.buf[i+1:]
			return line, nil
		}
		if len(c.buf) >= maxLine {
			return "", ErrLineTooLong
		}
		chunk := make([]byte, 1024)
		n, err := c.receive(chunk)
		c.buf = append(c.buf, chunk[:n]...)
		if err != nil && n == 0 {
			return "", err
		}
	}
}

// Replay puts b in front of what is read next. A protocol library that insists
// on reading the greeting is handed one so.
func (c *Conn) Replay(b []byte) { c.buf = append(append([]byte(nil), b...), c.buf...) }

// Close ends the connection at once, and with it a Read or Write that waits.
// There is no TLS close_notify: it could block for seconds, and the mail
// protocols say goodbye themselves.
func (c *Conn) Close() error {
	if err := c.raw.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Encrypted reports whether TLS is on the connection.
func (c *Conn) Encrypted() bool { return c.encrypted }

// PasswordAllowed returns nil when a password may be sent over this connection:
// it is encrypted, or it never leaves this machine, or the configuration allows
// it. Else it returns ErrPlaintext.
func (c *Conn) PasswordAllowed() error {
	if c.encrypted || c.settings.AllowPlaintext {
		return nil
	}
	if a, ok := c.raw.RemoteAddr().(*net.TCPAddr); ok && a.IP.IsLoopback() && !c.proxied {
		return nil
	}
	return ErrPlaintext
}

// BytesRead is the number of bytes received so far, above TLS.
func (c *Conn) BytesRead() int64 { return c.read.Load() }

// Failure is the first I/O error of the connection with its type (net.Error,
// io.EOF, tls.AlertError, …), nil while it works. Protocol libraries print
// errors into text; this one is what they printed.
func (c *Conn) Failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

func (c *Conn) latch(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latchLocked(err)
}

func (c *Conn) latchLocked(err error) {
	if c.failure == nil {
		c.failure = err
	}
}

// Error makes err, or the connection's first failure when there is one, into a
// *mail.Error of this server.
func (c *Conn) Error(step string, err error) *mail.Error {
	if f := c.Failure(); f != nil {
		err = f
	}
	return c.settings.Error(step, err)
}

// Note keeps one line among the server's last words.
func (c *Conn) Note(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.words.add(line)
}

// ServerWords are the last lines of the server, at most about 2 kB, oldest
// first, one a line. SMTP answers are kept by themselves, others by Note.
func (c *Conn) ServerWords() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.words.String()
}

// LocalAddr is this end's address.
func (c *Conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr is the server's address.
func (c *Conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// SetDeadline does nothing, as do SetReadDeadline and SetWriteDeadline: the
// libraries set absolute deadlines (go-imap five minutes for a mail, go-mail
// one for a whole Send), which would end a large mail on a slow line.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, see SetDeadline.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, see SetDeadline.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }
