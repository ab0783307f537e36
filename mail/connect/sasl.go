package connect

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
	"golang.org/x/text/secure/precis"

	"helpdesk/mail"
)

// mechanism is the client of the SASL mechanism of that name, nil if it is not
// one of ours; secret is the password or the access token.
func mechanism(name, username, secret, host string, port int) sasl.Client {
	switch name {
	case "PLAIN":
		return sasl.NewPlainClient("", username, secret)
	case "LOGIN":
		return &questions{name: name, answers: []string{username, secret}}
	case "CRAM-MD5":
		return &cramMD5{username: username, password: secret}
	case "SCRAM-SHA-256":
		return &scram{username: username, password: secret}
	case "XOAUTH2": // developers.google.com/workspace/gmail/imap/xoauth2-protocol
		return &bearer{name: name, first: "user=" + username + "\x01auth=Bearer " + secret + "\x01\x01"}
	case "OAUTHBEARER": // RFC 7628 section 3.1
		escape := strings.NewReplacer("=", "=3D", ",", "=2C")
		first := fmt.Sprintf("n,a=%s,\x01host=%s\x01port=%d\x01auth=Bearer %s\x01\x01", escape.Replace(username), host, port, secret)
		return &bearer{name: name, first: first, last: "\x01"}
	}
	return nil
}

var errQuestions = errors.New("the server asks more than the mechanism knows answers for")

// questions is the mechanism LOGIN: the server asks for the user name, then
// for the password. How it words that is not looked at: "Username:", "User
// Name\0" and translations occur.
type questions struct {
	name    string
	answers []string
}

func (q *questions) Start() (string, []byte, error) { return q.name, nil, nil }

func (q *questions) Next([]byte) ([]byte, error) {
	if len(q.answers) == 0 {
		return nil, errQuestions
	}
	answer := q.answers[0]
	q.answers = q.answers[1:]
	return []byte(answer), nil
}

// cramMD5 is the mechanism of RFC 2195.
type cramMD5 struct {
	username, password string
	answered           bool
}

func (c *cramMD5) Start() (string, []byte, error) { return "CRAM-MD5", nil, nil }

func (c *cramMD5) Next(challenge []byte) ([]byte, error) {
	if c.answered {
		return nil, errQuestions
	}
	c.answered = true
	digest := hmac.New(md5.New, []byte(c.password))
	digest.Write(challenge)
	return fmt.Appendf(nil, "%s %x", c.username, digest.Sum(nil)), nil
}

// bearer is a mechanism that shows an access token. The server's only question
// is JSON that says why it does not accept it; last must answer that before
// the refusal comes.
type bearer struct{ name, first, last string }

func (b *bearer) Start() (string, []byte, error) { return b.name, []byte(b.first), nil }

func (b *bearer) Next([]byte) ([]byte, error) { return []byte(b.last), nil }

// scram is the mechanism SCRAM-SHA-256 without channel binding (RFC 7677,
// RFC 5802 section 5).
type scram struct {
	username, password string
	nonce, first       string // ours, and our first message without its header
	signature          []byte // that the server has to show
	verified           bool
}

// maxIterations bounds the work that a server can ask for: about five seconds.
// Servers in use ask for 4,096 to 600,000.
const maxIterations = 10_000_000

const scramHeader = "n,,"

// prepared is s as SCRAM compares it (RFC 8265); s itself where that has no form.
func prepared(s string) string {
	if p, err := precis.OpaqueString.String(s); err == nil {
		return p
	}
	return s
}

func (s *scram) Start() (string, []byte, error) {
	s.nonce = rand.Text()
	name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(prepared(s.username))
	s.first = "n=" + name + ",r=" + s.nonce
	return "SCRAM-SHA-256", []byte(scramHeader + s.first), nil
}

func (s *scram) Next(challenge []byte) ([]byte, error) {
	if s.signature == nil {
		return s.prove(string(challenge))
	}
	if strings.HasPrefix(string(challenge), "e=") {
		return []byte{}, nil // it is about to refuse us, as for a wrong password (RFC 5802 section 7)
	}
	value, isValue := strings.CutPrefix(string(challenge), "v=")
	value, _, _ = strings.Cut(value, ",")
	shown, err := base64.StdEncoding.DecodeString(value)
	if !isValue || err != nil || !hmac.Equal(shown, s.signature) {
		return nil, mail.ErrServerProof
	}
	s.verified = true
	return []byte{}, nil
}

// prove answers the server's first message, "r=NONCE,s=SALT,i=ITERATIONS".
func (s *scram) prove(challenge string) ([]byte, error) {
	fields := map[string]string{}
	for field := range strings.SplitSeq(challenge, ",") {
		name, value, _ := strings.Cut(field, "=")
		fields[name] = value
	}
	salt, err := base64.StdEncoding.DecodeString(fields["s"])
	iterations, countErr := strconv.Atoi(fields["i"])
	_, extended := fields["m"] // a mandatory extension, and we know none
	nonce := fields["r"]
	if err != nil || countErr != nil || extended || iterations < 1 || iterations > maxIterations ||
		!strings.HasPrefix(nonce, s.nonce) || nonce == s.nonce {
		return nil, errors.New("the server's question is not one of SCRAM-SHA-256")
	}
	salted, err := pbkdf2.Key(sha256.New, prepared(s.password), salt, iterations, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("salting the password: %w", err)
	}
	last := "c=" + encode(scramHeader) + ",r=" + nonce
	message := s.first + "," + challenge + "," + last
	client := keyed(salted, "Client Key")
	stored := sha256.Sum256(client)
	proof := keyed(stored[:], message)
	for i := range proof {
		proof[i] ^= client[i]
	}
	s.signature = keyed(keyed(salted, "Server Key"), message)
	return []byte(last + ",p=" + encode(string(proof))), nil
}

// proved reports whether the server has shown that it knows the password.
func (s *scram) proved() bool { return s.verified }

func keyed(key []byte, message string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(message))
	return mac.Sum(nil)
}
