package desk

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"helpdesk/mail"
)

// Signer makes and knows our own Message-IDs and loop marks. Its key is made
// at the first start and kept in the store, so that a mail answered a year
// later is still known.
//
// A Message-ID of ours is <hd.KIND.REQUEST.MESSAGE.EVENT.SIGNATURE@domain>,
// numbers in base 36. KIND c goes to customers and participants, one for each
// event; KIND a goes to one agent, whose address is part of the signature: an
// agent's Message-ID proves who answers it and never stands in a customer's mail.
type Signer struct{ key []byte }

// NewSigner takes the secret key, at least 32 random bytes.
func NewSigner(key []byte) (*Signer, error) {
	if len(key) < 32 {
		return nil, fmt.Errorf("the signing key has %d bytes, 32 are needed", len(key))
	}
	return &Signer{key: key}, nil
}

// Token is what one of our Message-IDs says.
type Token struct {
	Agent     bool // for one agent; else for customers and participants
	RequestID int64
	MessageID int64 // the store's id of the message that caused the mail
	Event     string
}

const tokenPrefix = "hd."

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// sign gives 80 bits: out of reach of guessing by mail, short enough for a header line.
func (s *Signer) sign(parts ...string) string {
	mac := hmac.New(sha256.New, s.key)
	for _, p := range parts {
		fmt.Fprintf(mac, "%d:%s;", len(p), p)
	}
	return encoding.EncodeToString(mac.Sum(nil)[:10])
}

// MessageID makes the Message-ID of a mail: for an agent where agent is not
// empty, else for customers. The result is without angle brackets.
func (s *Signer) MessageID(t Token, agent mail.Address, domain string) string {
	kind := "c"
	if t.Agent {
		kind = "a"
	}
	body := strings.Join([]string{kind, strconv.FormatInt(t.RequestID, 36), strconv.FormatInt(t.MessageID, 36), t.Event}, ".")
	return tokenPrefix + body + "." + s.signToken(t, body, agent) + "@" + domain
}

func (s *Signer) signToken(t Token, body string, agent mail.Address) string {
	if t.Agent {
		return s.sign("agent", body, agent.Key())
	}
	return s.sign("customer", body)
}

// Read says what a Message-ID of ours says. ok is false for one that is not
// ours or was tampered with. For an agent's token the agent among candidates
// whose it is comes back; a token of nobody there is not ok.
func (s *Signer) Read(messageID string, candidates []mail.Address) (t Token, agent mail.Address, ok bool) {
	local, _, found := strings.Cut(messageID, "@")
	if !found || !strings.HasPrefix(local, tokenPrefix) {
		return t, agent, false
	}
	i := strings.LastIndexByte(local, '.')
	body, signature := local[len(tokenPrefix):max(i, len(tokenPrefix))], local[i+1:]
	fields := strings.Split(body, ".")
	if len(fields) != 4 {
		return t, agent, false
	}
	var err1, err2 error
	t.Agent = fields[0] == "a"
	t.RequestID, err1 = strconv.ParseInt(fields[1], 36, 64)
	t.MessageID, err2 = strconv.ParseInt(fields[2], 36, 64)
	t.Event = fields[3]
	if err1 != nil || err2 != nil {
		return t, agent, false
	}
	if !t.Agent {
		return t, agent, fields[0] == "c" && equal(signature, s.signToken(t, body, agent))
	}
	for _, candidate := range candidates {
		if equal(signature, s.signToken(t, body, candidate)) {
			return t, candidate, true
		}
	}
	return t, agent, false
}

// Loop makes the value of our loop header for a mail of a desk. It holds its
// own signature and not just that of the Message-ID, because some relays
// (Amazon SES among them) replace the Message-ID.
func (s *Signer) Loop(deskID int64, messageID string) string {
	desk := strconv.FormatInt(deskID, 36)
	return desk + " " + messageID + " " + s.sign("loop", desk, messageID)
}

// OwnLoop reports whether a loop header was made by us for this desk.
func (s *Signer) OwnLoop(deskID int64, value string) bool {
	f := strings.Fields(value)
	return len(f) == 3 && f[0] == strconv.FormatInt(deskID, 36) && equal(f[2], s.sign("loop", f[0], f[1]))
}

// Probe makes the value of our loop header for the mail of a round trip. Its
// time is part of the signature: it says when nobody waits for the mail any more.
func (s *Signer) Probe(deskID int64, messageID string, sent time.Time) string {
	desk, at := strconv.FormatInt(deskID, 36), strconv.FormatInt(sent.Unix(), 36)
	return "probe " + desk + " " + at + " " + messageID + " " + s.sign("probe", desk, at, messageID)
}

// OwnProbe reports whether a loop header is that of a round trip which we made
// for this desk, and when its mail was sent.
func (s *Signer) OwnProbe(deskID int64, value string) (sent time.Time, ok bool) {
	return s.ownProbe("probe", deskID, value)
}

func (s *Signer) ownProbe(kind string, deskID int64, value string) (sent time.Time, ok bool) {
	f := strings.Fields(value)
	if len(f) != 5 || f[0] != kind || f[1] != strconv.FormatInt(deskID, 36) || !equal(f[4], s.sign(kind, f[1], f[2], f[3])) {
		return time.Time{}, false
	}
	at, err := strconv.ParseInt(f[2], 36, 64)
	return time.Unix(at, 0), err == nil
}

// Plus makes the value of our loop header for the second mail of a round trip:
// the one that goes to the desk's address with a token in it. That it arrives
// shows that the mail server takes such addresses.
func (s *Signer) Plus(deskID int64, messageID string, sent time.Time) string {
	desk, at := strconv.FormatInt(deskID, 36), strconv.FormatInt(sent.Unix(), 36)
	return "plus " + desk + " " + at + " " + messageID + " " + s.sign("plus", desk, at, messageID)
}

// OwnPlus is OwnProbe for that mail.
func (s *Signer) OwnPlus(deskID int64, value string) (sent time.Time, ok bool) {
	return s.ownProbe("plus", deskID, value)
}

// AddressToken is what stands behind the + of a desk's address in the Reply-To
// of customers' mail about a request: whoever answers there has our mail, even
// where their mail program leaves out the Message-ID. It has no sign that a
// mail server may take for a separator of its own.
func (s *Signer) AddressToken(requestID int64) string {
	id := strconv.FormatInt(requestID, 36)
	return s.sign("address", id) + id // 80 bits, and in either case of the letters
}

// Longest values, in characters.
const (
	maxAddressToken = 16 + 13 // signature, and an int64 in base 36
	maxLocalPart    = 64      // of an address: RFC 5321 section 4.5.3.1.1
)

// PlusAddress is a desk's address with the token of a request in it, as
// support+TOKEN@example.com.
func (s *Signer) PlusAddress(set *Settings, requestID int64) string {
	local, domain, _ := strings.Cut(set.Address, "@")
	return local + "+" + s.AddressToken(requestID) + "@" + domain
}

// ReadAddress says which request an address of this desk carries the token of,
// under any of the desk's own addresses. ok is false for other addresses, and
// for a token that we did not make.
func (s *Signer) ReadAddress(a mail.Address, set *Settings) (requestID int64, ok bool) {
	own, tag := withoutTag(a)
	const signature = 16 // characters of 80 bits
	if len(tag) <= signature || !slices.ContainsFunc(append([]string{set.Address, set.Sender.Address}, set.Aliases...), func(o string) bool {
		return own == mail.Address{Address: o}.GmailKey()
	}) {
		return 0, false
	}
	id := tag[signature:]
	requestID, err := strconv.ParseInt(id, 36, 64)
	return requestID, err == nil && equal(tag[:signature], s.sign("address", id))
}

// withoutTag is the GmailKey of an address without what stands behind the first +
// of its local part, and that.
func withoutTag(a mail.Address) (key, tag string) {
	local, domain, _ := strings.Cut(a.GmailKey(), "@")
	local, tag, _ = strings.Cut(local, "+")
	return local + "@" + domain, tag
}

func equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
