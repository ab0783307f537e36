package fetch

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// Numbering is how the mails of a POP3 maildrop are numbered, so that they are
// known as those of an IMAP folder are.
type Numbering struct {
	UIDValidity uint32   // another one: the ids of the whole maildrop are others
	Next        uint32   // the number that the next new id gets
	UIDs        []uint32 // of the ids that were asked for, in their order
}

// UniqueID is a mail as a POP3 maildrop lists it.
type UniqueID struct {
	ID   string // printable ASCII
	Size int64  // bytes, as the server states them
}

// popMail is a mail of the present session.
type popMail struct {
	n    int    // message number: valid in this session only
	size int64  // bytes, as LIST states them
	id   string // its name beyond this session
	uid  uint32 // the number that stands for id
}

// Where the ids of a maildrop come from, as the stage's fact "unique-ids" says.
const (
	idsFromUIDL   = "UIDL"
	idsFromHeader = "TOP"  // hash of the header
	idsFromMail   = "RETR" // hash of the whole mail
)

var (
	errNoIDs = errors.New("the server offers neither UIDL nor TOP, so that mails cannot be known again; " +
		"this works only with after = \"delete\", or by IMAP")
	errNewIDs  = errors.New("the server names its mails otherwise than a moment ago")
	errNumbers = errors.New("the mails' numbers do not match their ids")
)

// look reads what lies in the maildrop: STAT, LIST and UIDL. The numbers of the
// mails are known, and kept by Settings.Numbers, when it returns.
func (s *popSession) look(ctx context.Context) ([]connect.Fact, error) {
	s.mails, s.byUID = nil, map[uint32]*popMail{}
	r, err := s.must(mail.StepSelect, "STAT")
	if err != nil {
		return nil, err
	}
	count, _, _ := strings.Cut(r.text, " ")
	source := idsFromUIDL
	if count != "0" { // some servers call a listing of nothing an error
		if err := s.list(); err != nil {
			return nil, err
		}
		if source, err = s.identify(); err != nil {
			return nil, err
		}
	}
	facts := []connect.Fact{{Name: "messages", Value: strconv.Itoa(len(s.mails))}, {Name: "unique-ids", Value: source}}
	return facts, s.number(ctx)
}

// maxStated is the largest size that a server is believed, in bytes.
const maxStated = 1 << 40

// list asks for numbers and sizes.
func (s *popSession) list() error {
	seen := map[int]bool{}
	_, err := s.multi(mail.StepSelect, "LIST", func(line string) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			return
		}
		n, err := strconv.Atoi(fields[0])
		size, sizeErr := strconv.ParseInt(fields[1], 10, 63)
		if err == nil && n > 0 && !seen[n] {
			if sizeErr != nil || size < 0 || size > maxStated {
				size = 0 // not known: nobody relies on it
			}
			seen[n] = true
			s.mails = append(s.mails, popMail{n: n, size: size})
		}
	})
	slices.SortFunc(s.mails, func(a, b popMail) int { return cmp.Compare(a.n, b.n) })
	return err
}

// identify gives each mail its id: that of UIDL (RFC 1939 section 7). Where
// UIDL is not offered, or leaves a mail out, or names several mails alike, a
// hash of the header is the id, or a part of it; where there is no TOP either,
// a hash of the whole mail, but only if all mails are to be deleted: else
// every mail would be read at each poll.
func (s *popSession) identify() (source string, err error) {
	ids, err := s.uidl()
	if err != nil {
		return "", err
	}
	source = idsFromUIDL
	if ids == nil {
		source = idsFromHeader
	}
	times := map[string]int{}
	for _, id := range ids {
		times[id]++
	}
	used := map[string]int{}
	for i := range s.mails {
		m := &s.mails[i]
		m.id = ids[m.n]
		if m.id == "" || times[m.id] > 1 {
			sum, whole, err := s.sum(m.n)
			if err != nil {
				return "", err
			}
			if ids == nil && whole {
				source = idsFromMail
			}
			m.id += "#" + sum
		}
		// Mails that are the same to the last header line are told apart by
		// their order: each is read, and known by its content afterwards.
		if used[m.id]++; used[m.id] > 1 {
			m.id += "#" + strconv.Itoa(used[m.id])
		}
	}
	return source, nil
}

// uidl asks for the unique-ids, by message number; nil where there is no UIDL.
func (s *popSession) uidl() (map[int]string, error) {
	ids := map[int]string{}
	r, err := s.multi(mail.StepSelect, "UIDL", func(line string) {
		number, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			ids[n] = cleanID(strings.TrimSpace(id))
		}
	})
	// A refusal means that there is no such command, unless the server said
	// that there is, or that it is the moment that does not suit.
	if isRefusal(err) && !s.caps.has("UIDL") && r.code == "" {
		return nil, nil
	}
	return ids, err
}

// cleanID is id, or its hash where it is longer than RFC 1939 section 7 allows,
// or has bytes that it forbids.
func cleanID(id string) string {
	odd := strings.ContainsFunc(id, func(r rune) bool { return r < 0x21 || r > 0x7e })
	if !odd && len(id) <= 70 {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:16])
}

// sum hashes the header of a mail, or the whole of it where there is no TOP.
func (s *popSession) sum(n int) (sum string, whole bool, err error) {
	h := &popHash{sum: sha256.New()}
	ok, err := s.top(mail.StepSelect, n, 0, h.write)
	if err == nil && !ok {
		if !s.settings.Delete {
			e := s.settings.Error(mail.StepSelect, errNoIDs)
			e.Temporary = false
			return "", false, e
		}
		whole = true
		_, err = s.stream(mail.StepSelect, fmt.Sprintf("RETR %d", n), h.write)
	}
	if err != nil {
		return "", whole, err
	}
	return hex.EncodeToString(h.end()[:16]), whole, nil
}

// popHash hashes a mail without the header lines that servers add and change
// when a mail is looked at.
type popHash struct {
	sum    hash.Hash
	header []byte
	inBody bool
}

func (h *popHash) write(piece []byte) error {
	if h.inBody {
		h.sum.Write(piece)
		return nil
	}
	h.header = append(h.header, piece...)
	if i := headerEnd(h.header); i >= 0 || len(h.header) > headerLimit {
		h.flush()
	}
	return nil
}

// flush ends the header.
func (h *popHash) flush() {
	for field := range headerFields(h.header) {
		switch fieldName(field) {
		case "status", "x-status", "x-uid", "x-uidl", "x-keywords", "x-imapbase", "content-length":
		default:
			h.sum.Write(bytes.TrimRight(field, "\r\n"))
			h.sum.Write([]byte("\n"))
		}
	}
	h.header, h.inBody = nil, true
}

func (h *popHash) end() []byte {
	if !h.inBody {
		h.flush()
	}
	return h.sum.Sum(nil)
}

// number has the ids numbered and makes the state known.
func (s *popSession) number(ctx context.Context) error {
	ids := make([]UniqueID, len(s.mails))
	numbering := Numbering{UIDValidity: 1, Next: 1}
	for i, m := range s.mails {
		ids[i] = UniqueID{m.id, m.size}
		numbering.UIDs = append(numbering.UIDs, uint32(m.n))
		numbering.Next = max(numbering.Next, uint32(m.n)+1)
	}
	if s.settings.Numbers != nil {
		var err error
		if numbering, err = s.settings.Numbers(ctx, ids, s.partial); err != nil {
			return fmt.Errorf("numbering the mails: %w", err)
		}
	}
	if len(numbering.UIDs) != len(ids) {
		return errNumbers
	}
	for i, uid := range numbering.UIDs {
		if uid == 0 || s.byUID[uid] != nil {
			return errNumbers
		}
		s.mails[i].uid = uid
		s.byUID[uid] = &s.mails[i]
	}
	s.state = State{
		UIDValidity: numbering.UIDValidity, UIDNext: numbering.Next, Messages: uint32(len(s.mails)),
		Partial: s.partial, LoginDelay: s.loginDelay,
	}
	return nil
}
