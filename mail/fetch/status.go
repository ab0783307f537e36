package fetch

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"helpdesk/mail"
)

// status is a line in which the server says OK, NO, BAD, BYE or PREAUTH
// (RFC 9051 section 7.1).
type status struct {
	kind string // upper case
	code string // response code without its arguments, upper case; ""
	args string // the response code's arguments
	text string // the server's words; with its response code when that has arguments
}

// parseStatus reads what follows the tag of a status response. A bracket that
// holds no response code, as Microsoft's [Error="…"], is left in the text.
func parseStatus(line string) (status, bool) {
	kind, rest, _ := strings.Cut(line, " ")
	st := status{kind: strings.ToUpper(kind), text: strings.TrimSpace(rest)}
	switch st.kind {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
	default:
		return status{}, false
	}
	inner, after, found := strings.Cut(strings.TrimPrefix(st.text, "["), "]")
	if !found || !strings.HasPrefix(st.text, "[") {
		return st, true
	}
	code, args, hasArgs := strings.Cut(inner, " ")
	if !isAtom(code) {
		return st, true
	}
	st.code, st.args = strings.ToUpper(code), args
	if !hasArgs {
		st.text = strings.TrimSpace(after)
	}
	return st, true
}

// isAtom reports whether s is an atom of letters, digits, "-", ".", "+" and "_",
// of which all response codes and capabilities in use are made ("=" and "/"
// occur in capabilities).
func isAtom(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._+=/:", r)) {
			return false
		}
	}
	return s != ""
}

// refused makes the server's NO or BAD at step an error.
func (s *imapSession) refused(step string, st status) *mail.Error {
	e := s.settings.Error(step, nil)
	e.Code, e.Text, e.Temporary = st.code, s.words(st.text), mayPass(step, st)
	return e
}

// mayPass reports whether a refusal may be gone when the same is tried again
// (response codes: RFC 5530). At the login only the codes that say so are
// taken as such: each further attempt brings the account nearer to a lock.
func mayPass(step string, st status) bool {
	switch st.code {
	case "UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG":
		return true
	case "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED", "CONTACTADMIN",
		"NOPERM", "NONEXISTENT", "CANNOT", "CLIENTBUG":
		return false
	}
	return step != mail.StepLogin && step != mail.StepStartTLS || st.kind == "BYE"
}

// hasCode reports whether err is a refusal with one of the response codes.
func hasCode(err error, codes ...string) bool {
	e := (*mail.Error)(nil)
	return isRefusal(err) && errors.As(err, &e) && slices.Contains(codes, e.Code)
}

// isRefusal reports whether err is the server's answer NO or BAD, after which
// the connection goes on working.
func isRefusal(err error) bool {
	e := (*mail.Error)(nil)
	return errors.As(err, &e) && e.Err == nil
}

// maxText is the longest text of a server that an error quotes, in bytes.
const maxText = 1000

// words makes what a server said fit to be shown.
func (s *imapSession) words(text string) string {
	text = s.conn.Scrub(text)
	if len(text) > maxText {
		text = text[:maxText]
	}
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}
