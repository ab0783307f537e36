package fetch

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// recording is a connection on which the server's side is fixed. It gives
// lines only after the client's first command.
type recording struct {
	net.Conn
	asked chan struct{}
	input io.Reader
}

func (r *recording) Read(p []byte) (int, error) {
	<-r.asked
	return r.input.Read(p)
}

func (r *recording) Write(p []byte) (int, error) {
	select {
	case <-r.asked:
	default:
		close(r.asked)
	}
	return len(p), nil
}

func (r *recording) Close() error                     { return nil }
func (r *recording) SetReadDeadline(time.Time) error  { return nil }
func (r *recording) SetWriteDeadline(time.Time) error { return nil }

// newRecording is a wire over what the server sends.
func newRecording(input []byte) *wire {
	conn := &recording{asked: make(chan struct{}), input: bytes.NewReader(input)}
	return newWire(conn, greeting{}, func(string) {})
}

// FuzzWire: whatever untagged lines a server sends, the client goes on to work:
// it gets the answer to its command, unless an announced literal swallowed it.
func FuzzWire(f *testing.F) {
	for _, seed := range []string{
		"5 FETCH (UID 5 FLAGS (\\Seen) RFC822.SIZE 4 BODY[] {4}\r\nfive)",
		"5 FETCH (BODY[HEADER.FIELDS (\"A]\" B)]<0> {2}\r\nab UID 7 X (a \"b)\" {1}\r\n( c) INTERNALDATE \"x\")",
		"5 FETCH (BODY[] \"q\\\"\" UID 99999999999 FLAGS (a]b \\* %) RFC822.SIZE -1",
		"OK [CAPABILITY IMAP4rev2 a]b] x\r\nCAPABILITY \"x\" {3}\r\nBYE\r\nNO [ALERT] y\r\n3 EXPUNGE\r\n0 EXISTS",
		"OK [UIDNEXT x] y\r\nOK [COPYUID 1 1:* 2] z\r\nOK [PERMANENTFLAGS (\\*]\r\nLIST (a) \"/\" \"&x\"\r\nPREAUTH\r\n",
		"NAMESPACE ((\"a\\\"\" \".\")) NIL NIL\r\nXYZ {2}\r\nab (\r\n\r\n1 FETCH", "5 FETCH (UID 5 BODY[] {0}\r\n)",
		"7 FETCH (BODY[ {3}\r\nabc UID 1)", "7 FETCH (FLAGS ({3}\r\nabc) UID 1)", "7 FETCH ((((UID 1 ENVELOPE ((((",
		"0 FETCH FLAGS \x8f", "0 FETCH FLAGS(0A000)BODY[]\"",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		input := []byte("* " + strings.ReplaceAll(string(data), "\n", "\n* ") + "\r\nT1 OK done\r\n")
		w := newRecording(input)
		client := imapclient.New(w, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
			Fetch: func(m *imapclient.FetchMessageData) { receive(m, noBodies()) },
		}})
		err := client.Noop().Wait()
		if w.failure() != nil || errors.Is(err, io.ErrUnexpectedEOF) || w.skip > 0 || w.literal > 0 {
			return // a line too long, or the answer was inside a literal
		}
		if err != nil {
			t.Errorf("%v at %q", err, input)
		}
	})
}

// FuzzFetch: whatever comes between the command and the end of the connection,
// what is handed over was asked for, whole, and once.
func FuzzFetch(f *testing.F) {
	for _, seed := range []string{
		"* 5 FETCH (UID 5 BODY[] {4}\r\nfive)\r\nT1 OK", "* 5 FETCH (BODY[] {4}\r\nfive UID 5)\r\n* 6 FETCH (UID 7 BODY[] NIL)\r\nT1 NO [X] y\r\n",
		"* 5 FETCH (UID 5 FLAGS (x))\r\n* 5 FETCH (UID 5 BODY[] \"abc\")\r\nT1 BAD\r\n", "* 5 FETCH (UID 5 BODY[] {99}\r\nabc",
		"* 5 FETCH (BODY[] {1}\r\na BODY[] {2}\r\nbc UID 5)\r\n* 5 FETCH (UID 5 BODY[] {4}\r\nfive)\r\n+\r\nT1 OK\r\n", "+ x\r\nT9 OK\r\nT1 PREAUTH\r\nT1 OK",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newRecording(append(bytes.Clone(data), "\r\n"...))
		s := &imapSession{wire: w}
		s.client = imapclient.New(w, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{Fetch: s.strays.take}})
		seen := map[uint32]bool{}
		asked := []Listed{{UID: 5}, {UID: 7}}
		fetching := s.newFetching(asked, bodyLimit{}, func(r received, m Listed) error {
			if r.uid != m.UID || seen[r.uid] || r.body.length != r.body.literal {
				t.Errorf("handed over %+v for %+v", r, m)
			}
			seen[r.uid] = true
			return nil
		})
		s.strays.open(fetching.limit)
		options := &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}
		_ = fetching.drain(s.client.Fetch(uidSets(asked)[0], options))
		if got := len(seen) + len(fetching.missing()); got != 2 {
			t.Errorf("%d mails of 2 accounted for", got)
		}
	})
}
