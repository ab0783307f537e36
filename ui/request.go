package ui

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"helpdesk/mail"
	"helpdesk/store"
)

type requestData struct {
	frame
	Request  store.Request
	LinkedTo string // key of the request that it mentions
	MergedTo string // key of the request that it was merged into
	Fields   []field
	Assignee string // name or address
	Copies   []mail.Address
	Messages []message
}

// field is a value of the request type.
type field struct{ Name, Value string }

// message is one contribution as it is shown.
type message struct {
	store.Message
	Why      string // of a note
	Shown    string // what its writer added
	Folded   string // the rest, or all of it; "" when Shown is everything
	Whole    bool   // Folded is the whole text, not just what follows
	Pictures []mail.Attachment
	Files    []mail.Attachment
}

func (s *Server) requestPage(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	request, err := s.Store.RequestByKey(ctx, r.PathValue("key"))
	if s.missing(w, r, "reading a request", err) {
		return
	}
	title := request.Subject
	if title == "" {
		title = s.words.Text("requests.no-subject")
	}
	data := requestData{frame: s.frame(r, "requests", request.Key+" "+title), Request: request}
	if err := s.conversation(r, &data); err != nil {
		s.failed(w, r, "reading the conversation", err)
		return
	}
	s.show(w, r, http.StatusOK, "request", data)
}

func (s *Server) conversation(r *http.Request, data *requestData) error {
	ctx, request := r.Context(), data.Request
	data.Assignee = s.agentName(request.Assignee)
	var err error
	if data.LinkedTo, err = s.requestKey(ctx, request.LinkedTo); err != nil {
		return err
	}
	if data.MergedTo, err = s.requestKey(ctx, request.MergedInto); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(request.Fields)) {
		data.Fields = append(data.Fields, field{s.words.Field(name), s.words.FieldValue(name, request.Fields[name])})
	}
	people, err := s.Store.Participants(ctx, request.ID)
	if err != nil {
		return err
	}
	for _, p := range people {
		if p.Role == store.RoleCC {
			data.Copies = append(data.Copies, p.Address)
		}
	}
	messages, err := s.Store.Messages(ctx, request.ID)
	if err != nil {
		return err
	}
	for _, m := range messages {
		data.Messages = append(data.Messages, s.message(m))
	}
	return nil
}

// requestKey is the key of a request, "" where it is none or is gone.
func (s *Server) requestKey(ctx context.Context, id int64) (string, error) {
	if id == 0 {
		return "", nil
	}
	r, err := s.Store.RequestByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return r.Key, err
}

// agentName is the name of the agent with an address, else the address.
func (s *Server) agentName(address string) string {
	for _, d := range s.WhyDesks {
		for _, a := range d.Agents {
			if a.Name != "" && a.Key() == (mail.Address{Address: address}).Key() {
				return a.Name
			}
		}
	}
	return address
}

func (s *Server) message(m store.Message) message {
	out := message{Message: m}
	out.Shown, out.Folded, out.Whole = fold(m.Text, m.Reply)
	if m.Kind == store.KindNote && m.Reason != "" {
		out.Why = s.words.Rule(m.Reason)
	}
	for _, a := range m.Attachments {
		if m.LedgerID != 0 && showable(a) {
			out.Pictures = append(out.Pictures, a)
		} else {
			out.Files = append(out.Files, a)
		}
	}
	return out
}

// fold splits a text into what is shown and what is folded away. Nothing is
// ever cut: where the writer's part is not simply the beginning, all of the
// text is folded.
func fold(text, reply string) (shown, folded string, whole bool) {
	text, reply = strings.TrimSpace(text), strings.TrimSpace(reply)
	switch {
	case reply == "" || reply == text:
		return text, "", false
	case strings.HasPrefix(text, reply):
		return reply, strings.TrimSpace(text[len(reply):]), false
	}
	return reply, text, true
}
