package control

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// controlFile is the name of the file in data_dir that says where the daemon listens.
const controlFile = "control"

// pingPath is answered by the server itself, with its address: so a client
// knows that it has not reached another program that got the port since.
const pingPath = "/control/ping"

// maxRequest bounds the body of a request, in bytes.
const maxRequest = 32 << 20

// where is the content of the control file.
type where struct {
	Address string `json:"address"` // 127.0.0.1:port
	Token   string `json:"token"`
	PID     int    `json:"pid"`
}

// Server is the daemon's end.
type Server struct {
	shutdown func() error // once
	done     chan struct{}
	err      error // of the loop that serves; to be read after done
}

// Serve opens a port on loopback, writes data_dir/control and answers the
// requests that carry its token with handler, until ctx ends or Close. It
// returns as soon as requests are taken.
func Serve(ctx context.Context, dataDir string, handler http.Handler) (*Server, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening on loopback: %w", err)
	}
	w := where{Address: listener.Addr().String(), Token: rand.Text(), PID: os.Getpid()}
	path := filepath.Join(dataDir, controlFile)
	if err := w.write(dataDir, path); err != nil {
		return nil, errors.Join(fmt.Errorf("writing %s: %w", path, err), listener.Close())
	}
	h := &http.Server{
		Handler:           w.guard(handler),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	s := &Server{done: make(chan struct{})}
	s.shutdown = sync.OnceValue(func() error {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err := os.Remove(path)
		if h.Shutdown(bounded) != nil {
			err = errors.Join(err, h.Close())
		}
		return err
	})
	go func() {
		defer close(s.done)
		if err := h.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.err = err
		}
	}()
	context.AfterFunc(ctx, func() { s.shutdown() }) // Close tells the error
	return s, nil
}

// Close removes the control file, gives requests under way a second, and
// returns when no more are taken.
func (s *Server) Close() error {
	err := s.shutdown()
	<-s.done
	if err = errors.Join(err, s.err); err != nil {
		return fmt.Errorf("closing the control port: %w", err)
	}
	return nil
}

// write puts the file in place at once and complete, readable by its owner only.
func (w where) write(dataDir, path string) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(ownerOnly(next), giveToOwner(dataDir, next))
	if err == nil {
		err = json.NewEncoder(f).Encode(w)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return os.Rename(next, path)
}

// guard lets only requests through that know the token and name us as host: a
// page in a browser that was tricked into asking does neither.
func (w where) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Host != w.Address || r.Header.Get("Origin") != "" {
			http.Error(rw, "this port is for the helpdesk command only", http.StatusForbidden)
			return
		}
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+w.Token)) != 1 {
			http.Error(rw, "the token is missing or wrong", http.StatusUnauthorized)
			return
		}
		if r.URL.Path == pingPath {
			if err := json.NewEncoder(rw).Encode(pong{w.Address}); err != nil {
				return // the client is gone
			}
			return
		}
		r.Body = http.MaxBytesReader(rw, r.Body, maxRequest)
		next.ServeHTTP(rw, r)
	})
}

type pong struct {
	Address string `json:"address"`
}
