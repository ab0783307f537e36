package ui

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	netmail "net/mail"
	"slices"
	"strings"
	"time"
)

// testLimit bounds a test, whatever the servers do: the round trip waits two
// minutes for its mail, and reaching two servers has deadlines of its own.
const testLimit = 6 * time.Minute

// readerPatience is how long a browser may take nothing of what is sent to it.
const readerPatience = 30 * time.Second

type testData struct {
	frame
	Targets []Target
	To      string // the address that was typed in
	Notice  string // what is wrong with it
}

// testPage lists what can be tested.
func (s *Server) testPage(w http.ResponseWriter, r *http.Request) {
	s.showTests(w, r, http.StatusOK, "", "")
}

func (s *Server) showTests(w http.ResponseWriter, r *http.Request, code int, to, notice string) {
	s.show(w, r, code, "test", testData{s.frame(r, "test", s.words.Text("test.title")), s.Tests.Targets(), to, notice})
}

// runTest streams a test: the page begins, each stage appears as it happens,
// and the page ends with what to do. It needs no script: what is under way is
// told from what has ended by the style sheet.
func (s *Server) runTest(w http.ResponseWriter, r *http.Request) {
	kind := r.PostFormValue("kind")
	o := TestOrder{Part: r.PostFormValue("part"), RoundTrip: kind == "round-trip"}
	target, ok := s.target(o.Part)
	if !ok || o.RoundTrip && !target.Trips || kind == "message" && target.Mailbox() {
		s.fault(w, r, http.StatusNotFound, "error.not-found")
		return
	}
	o.Part = target.Part
	if kind == "message" {
		var err error
		if o.To, err = TypedAddress(r.PostFormValue("to")); err != nil {
			s.showTests(w, r, http.StatusUnprocessableEntity, r.PostFormValue("to"), s.words.Text("test.bad-address"))
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), testLimit)
	defer cancel()
	run := &testRun{server: s, w: w, control: http.NewResponseController(w), cancel: cancel}
	data := struct {
		frame
		Target Target
		Order  TestOrder
	}{s.frame(r, "test", s.words.Text("test.title")), target, o}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // a proxy in between passes on each stage at once
	run.write("head", data)
	run.write("begin", data)
	run.finish(ctx, s.Tests.Run(ctx, o, run.tell))
	run.write("again", data)
	run.write("foot", data)
	run.deadline(time.Time{}) // the browser may ask for more over the same connection
}

func (s *Server) target(part string) (Target, bool) {
	targets := s.Tests.Targets()
	i := slices.IndexFunc(targets, func(t Target) bool { return t.Part == part })
	if i < 0 && strings.HasPrefix(part, "relay:") { // a desk without a relay of its own
		i = slices.IndexFunc(targets, func(t Target) bool { return t.Part == "relay" })
	}
	if i >= 0 && targets[i].Off {
		i = -1
	}
	if i < 0 {
		return Target{}, false
	}
	return targets[i], true
}

// TypedAddress is one e-mail address as a person typed it in, without the name
// that may stand before it. The error says that no mail can be sent to it.
func TypedAddress(text string) (string, error) {
	a, err := netmail.ParseAddress(strings.TrimSpace(text))
	if err != nil {
		return "", err
	}
	if _, domain, _ := strings.Cut(a.Address, "@"); len(a.Address) > 254 || domain == "" || strings.ContainsAny(a.Address, " \t\r\n<>\"") {
		return "", errors.New("not an e-mail address that mail can be sent to")
	}
	return a.Address, nil
}

// testRun writes one test as it goes. Its elements are open while their part
// of the test lasts.
type testRun struct {
	server           *Server
	w                http.ResponseWriter
	control          *http.ResponseController
	cancel           func() // ends the test: nobody looks any more
	inSection, inRow bool
	troubled         bool
}

// write sends a piece of the page. What cannot be sent has no reader.
func (t *testRun) write(piece string, data any) {
	var out bytes.Buffer
	err := t.server.pages["testrun"].ExecuteTemplate(&out, piece, data)
	if err != nil {
		t.server.Logger.Error("making a piece of the test page", "piece", piece, "error", err)
		t.cancel()
		return
	}
	t.deadline(time.Now().Add(readerPatience))
	if _, err = t.w.Write(out.Bytes()); err == nil {
		err = t.control.Flush()
	}
	if err != nil {
		t.cancel()
	}
}

// deadline bounds writing, where the connection can do that.
func (t *testRun) deadline(at time.Time) {
	if err := t.control.SetWriteDeadline(at); err != nil && !errors.Is(err, http.ErrNotSupported) {
		t.cancel()
	}
}

// tell writes what happened.
func (t *testRun) tell(e TestEvent) {
	switch {
	case e.Section != nil:
		t.close()
		t.write("section", e.Section)
		t.inSection = true
	case e.Begin != "":
		t.endRow()
		t.write("stage-begin", e.Begin)
		t.inRow = true
	case e.Stage != nil:
		t.write("stage-end", stageView{TestStage: *e.Stage, now: t.server.Now()})
		t.endRow()
	case e.Trouble != nil:
		t.troubled = true
		t.close()
		t.write("explanation", e.Trouble)
	case e.Note != nil:
		t.close()
		t.write("note", e.Note)
	}
}

func (t *testRun) endRow() {
	if t.inRow {
		t.inRow = false
		t.write("row-end", nil)
	}
}

// close ends what is open, so that what follows stands below it.
func (t *testRun) close() {
	t.endRow()
	if t.inSection {
		t.inSection = false
		t.write("section-end", nil)
	}
}

// finish says why a test ended that did not say so itself.
func (t *testRun) finish(ctx context.Context, err error) {
	t.close()
	words := t.server.words
	switch {
	case err == nil, t.troubled:
	case errors.Is(err, ErrTestBusy):
		t.write("note", &Note{Slug: "busy"})
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		t.write("explanation", &PartStatus{State: "failing", Title: words.Text("test.too-long.title"), Remedy: []string{words.Text("test.too-long.remedy")}})
	case ctx.Err() != nil:
		return // the reader went away, or the program stops
	default:
		t.server.Logger.Error("testing", "error", err)
		t.write("explanation", &PartStatus{State: "failing", Title: words.Text("error.title"), Text: words.Text("error.internal")})
	}
}

// stageView is a stage as the page shows it.
type stageView struct {
	TestStage
	now time.Time
}

// Short are the facts that are worth a line; Long are lists.
func (v stageView) Short() []TestFact { return v.facts(false) }

// Long are the facts that are lists.
func (v stageView) Long() []TestFact { return v.facts(true) }

func (v stageView) facts(long bool) []TestFact {
	return slices.DeleteFunc(slices.Clone(v.Facts), func(f TestFact) bool {
		return f.Value == "" || f.Name == "family" || long != (f.Name == "offers" || f.Name == "addresses")
	})
}

// Leaf is the server's own certificate, nil without one.
func (v stageView) Leaf() *TestCertificate {
	if v.TLS == nil || len(v.TLS.Chain) == 0 {
		return nil
	}
	return &v.TLS.Chain[0]
}

// Ends reports whether the server's certificate ends within 30 days.
func (v stageView) Ends() bool {
	leaf := v.Leaf()
	return leaf != nil && leaf.Expiry.Sub(v.now) < 30*24*time.Hour
}
