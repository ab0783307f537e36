package fetch

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/emersion/go-imap/v2"
)

// heard is what the server told beside the answers that the library hands on.
// The library's reading goroutine writes it, by way of wire.
type heard struct {
	mu           sync.Mutex
	state        State
	capabilities []string // nil: not told since the login
	loggingIn    bool     // the next OK is the login's
	readOnly     bool     // the folder was opened so
	answer       status   // the last NO or BAD
	alerts       []string // since listen
	bye          *status
	delimiter    string // of LIST "" ""
	prefix       string // of NAMESPACE
	copied       imap.UIDSet
	news         chan struct{}
}

// listen forgets what belongs to the command before.
func (h *heard) listen() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer, h.alerts = status{}, nil
}

// reset forgets the folder, before another is selected.
func (h *heard) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state, h.readOnly = State{}, false
}

// mayWrite reports whether the folder can be changed.
func (h *heard) mayWrite() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.readOnly
}

func (h *heard) folder() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state
}

// beginLogin forgets the capabilities: a login changes them.
func (h *heard) beginLogin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.capabilities, h.loggingIn = nil, true
}

// endLogin takes the login's OK. It returns the capabilities told since
// beginLogin, and false when this OK is another's.
func (h *heard) endLogin() ([]string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	login := h.loggingIn
	h.loggingIn = false
	return h.capabilities, login
}

// knowsCapabilities reports whether the server told them since the login.
func (h *heard) knowsCapabilities() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.capabilities != nil
}

func (h *heard) setCapabilities(list []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.capabilities = list
}

// has reports whether the server offers the capability.
func (h *heard) has(capability string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.capabilities, capability)
}

// offered are the capabilities.
func (h *heard) offered() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.capabilities)
}

// refusal is the last NO or BAD, with the alerts that came before it: Gmail
// says what is wrong there.
func (h *heard) refusal() status {
	h.mu.Lock()
	defer h.mu.Unlock()
	st := h.answer
	for _, alert := range h.alerts {
		if !strings.Contains(st.text, alert) {
			st.text = strings.TrimPrefix(st.text+"; "+alert, "; ")
		}
	}
	return st
}

// farewell is the BYE that came before the connection ended, or nil.
func (h *heard) farewell() *status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bye
}

// status takes a status line, tagged or not.
func (h *heard) status(st status, tagged bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n, err := strconv.ParseUint(strings.TrimSpace(st.args), 10, 32); err == nil {
		switch st.code {
		case "UIDVALIDITY":
			h.state.UIDValidity = uint32(n)
		case "UIDNEXT":
			h.state.UIDNext = uint32(n)
		}
	}
	if st.code == "COPYUID" {
		h.copyUID(st.args)
	}
	switch {
	case tagged && (st.kind == "NO" || st.kind == "BAD"):
		h.answer = st
	case tagged:
		h.readOnly = h.readOnly || st.code == "READ-ONLY"
	case st.kind == "BYE":
		h.bye = &st
	case st.code == "ALERT" || st.kind == "NO" || st.kind == "BAD":
		if len(h.alerts) < 4 {
			h.alerts = append(h.alerts, st.text)
		}
	}
}

// messages takes EXISTS and EXPUNGE. A number that grew is news.
func (h *heard) messages(n uint32, expunged bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if expunged {
		if h.state.Messages > 0 {
			h.state.Messages--
		}
		return
	}
	grew := n > h.state.Messages
	h.state.Messages = n
	if grew {
		select {
		case h.news <- struct{}{}:
		default:
		}
	}
}

// readNews forgets news that a listing is about to tell.
func (h *heard) readNews() {
	select {
	case <-h.news:
	default:
	}
}

// forgetCopies forgets what was copied or moved.
func (h *heard) forgetCopies() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.copied = nil
}

// copies are the mails of which the server said since then that it copied or
// moved them: by COPYUID in the answer to COPY, or before the answer to MOVE.
func (h *heard) copies() imap.UIDSet {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.copied)
}

// copyUID takes the arguments of COPYUID: UIDVALIDITY, and the UIDs here and there.
func (h *heard) copyUID(args string) {
	fields := strings.Fields(args)
	if len(fields) != 3 {
		return
	}
	for part := range strings.SplitSeq(fields[1], ",") {
		first, last, ok := strings.Cut(part, ":")
		if !ok {
			last = first
		}
		a, err := strconv.ParseUint(first, 10, 32)
		b, err2 := strconv.ParseUint(last, 10, 32)
		if err == nil && err2 == nil && a > 0 && b > 0 {
			h.copied.AddRange(imap.UID(min(a, b)), imap.UID(max(a, b)))
		}
	}
}

// hierarchy takes the answer to LIST "" "".
func (h *heard) hierarchy(delimiter string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.delimiter = delimiter
}

// namespace takes the personal namespace's prefix.
func (h *heard) namespace(prefix string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.prefix = prefix
}

func (h *heard) names() (delimiter, prefix string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.delimiter, h.prefix
}
