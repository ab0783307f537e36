package ui

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/diagnose"
	"helpdesk/store"
)

// office is a store with two desks and some days of mail, and its page.
type office struct {
	t      *testing.T
	now    time.Time
	store  *store.Store
	server *Server
	page   http.Handler
	status Status

	desks     map[string]store.Desk
	mailboxes map[string]store.Mailbox
	uid       uint32
	raws      map[int64]string // raw mail by ledger line
}

const listen = "127.0.0.1:8025"

// newOffice opens an empty store and a page in lang on top of it.
func newOffice(t *testing.T, lang string) *office {
	t.Helper()
	o := &office{
		t: t, now: time.Date(2026, 11, 21, 14, 32, 10, 0, time.FixedZone("JST", 9*3600)),
		desks: map[string]store.Desk{}, mailboxes: map[string]store.Mailbox{}, raws: map[int64]string{},
	}
	clock := func() time.Time { return o.now }
	var err error
	if o.store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "helpdesk.db"), store.Options{Now: clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.store.Close() })
	o.server, err = New(Deps{
		Store: o.store, Status: func(context.Context) (Status, error) { return o.status, nil }, Lang: lang, Now: clock,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Listen: listen,
	})
	if err != nil {
		t.Fatal(err)
	}
	o.page = o.server.Handler()
	o.status = Status{Version: "0.1.0", OK: true, Since: o.now.Add(-26 * time.Hour)}
	for _, d := range []struct{ address, key, ja, en string }{
		{"support@example.com", "SUP", "サポート窓口", "Support"}, {"sales@example.com", "SAL", "営業窓口", "Sales"},
	} {
		name := d.en
		if lang == "ja" {
			name = d.ja
		}
		o.write(func(tx *store.Tx) error {
			desk, err := tx.EnsureDesk(d.address, d.key, name)
			if err != nil {
				return err
			}
			box, _, err := tx.EnsureMailbox(desk.ID, "imap", "mail.example.com", d.address, "INBOX")
			o.desks[d.key], o.mailboxes[d.key] = desk, box
			return err
		})
	}
	return o
}

func (o *office) write(fn func(*store.Tx) error) {
	o.t.Helper()
	if err := o.store.Write(o.t.Context(), fn); err != nil {
		o.t.Fatal(err)
	}
}

// taken is a mail and what became of it.
type taken struct {
	desk, raw             string
	outcome, rule         string
	args                  map[string]string
	passed                []string
	ago                   time.Duration
	kind                  string // of the message it becomes; "" for none
	request               int64  // that it joins; 0 makes a new one when there is a kind
	linked                int64  // request that a new one mentions
	verified, rawMissing  bool
	problems              []string
	state, assignee, copy string // of a new request
}

// take stores a mail as the intake does; it returns the request's ID.
func (o *office) take(m taken) (requestID int64, entry store.Entry) {
	o.t.Helper()
	raw := strings.ReplaceAll(m.raw, "\n", "\r\n")
	msg, err := mail.Parse(strings.NewReader(raw))
	if err != nil {
		o.t.Fatal(err)
	}
	packed, err := o.store.Pack(io.NewSectionReader(strings.NewReader(raw), 0, int64(len(raw))))
	if err != nil {
		o.t.Fatal(err)
	}
	at := o.now.Add(-m.ago)
	o.uid++
	o.write(func(tx *store.Tx) error {
		requestID = m.request
		if m.kind != "" && requestID == 0 {
			key, err := tx.NextKey(m.desk)
			if err != nil {
				return err
			}
			state := m.state
			if state == "" {
				state = store.StateOpen
			}
			r := store.Request{DeskID: o.desks[m.desk].ID, Key: key, Type: "Email request", Subject: msg.Subject, State: state,
				Requester: msg.From, Assignee: m.assignee, Created: at, Updated: at, LinkedTo: m.linked}
			if err := tx.AddRequest(&r); err != nil {
				return err
			}
			requestID = r.ID
			if m.copy != "" {
				if err := tx.AddParticipant(r.ID, store.Participant{Address: mail.Address{Address: m.copy}, Role: store.RoleCC}); err != nil {
					return err
				}
			}
		}
		entry = store.Entry{DeskID: o.desks[m.desk].ID, MailboxID: o.mailboxes[m.desk].ID, UIDValidity: 7, UID: o.uid,
			MessageID: msg.MessageID, From: msg.From, Subject: msg.Subject, SeenAt: at, Outcome: m.outcome, Rule: m.rule, ReasonArgs: m.args,
			Passed: m.passed, RequestID: requestID, Fingerprint: msg.Fingerprint, Size: int64(len(raw)), RawState: store.RawWhole, Problems: m.problems}
		if m.rawMissing {
			entry.RawState = store.RawNone
		}
		if err := tx.AddEntry(&entry); err != nil {
			return err
		}
		if !m.rawMissing {
			if err := tx.PutRaw(entry.ID, packed); err != nil {
				return err
			}
		}
		if m.kind == "" {
			return nil
		}
		return tx.AddMessage(&store.Message{RequestID: requestID, LedgerID: entry.ID, Kind: m.kind, From: msg.From, At: at, Text: msg.Text,
			Reply: msg.Reply, Attachments: msg.Attachments, MessageID: msg.MessageID, Verified: m.verified, Reason: m.rule})
	})
	o.raws[entry.ID] = raw
	return requestID, entry
}

// part is a part's health in words, as the daemon makes it.
func (o *office) part(state string, since time.Duration, err *mail.Error) PartStatus {
	h := store.Health{State: state, Since: o.now.Add(-since), LastPoll: o.now.Add(-20 * time.Second), NextPoll: o.now.Add(40 * time.Second)}
	if err != nil {
		r := diagnose.Record(err)
		h.Step, h.Protocol, h.Server, h.Code, h.Enhanced, h.Text, h.Temporary, h.Err = r.Step, r.Protocol, r.Server, r.Code, r.Enhanced, r.Text, r.Temporary, r.Err
	}
	return Part(h, "", o.server.Lang)
}

// get asks for a path as a browser that has signed in.
func (o *office) get(path string) *httptest.ResponseRecorder {
	o.t.Helper()
	return o.do(http.MethodGet, path, "", o.signIn())
}

// getOutside asks for a path without having signed in.
func (o *office) getOutside(path string) *httptest.ResponseRecorder {
	o.t.Helper()
	return o.do(http.MethodGet, path, "", nil)
}

func (o *office) do(method, path, form string, cookie *http.Cookie) *httptest.ResponseRecorder {
	o.t.Helper()
	r := httptest.NewRequest(method, "http://"+listen+path, strings.NewReader(form))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	o.page.ServeHTTP(w, r)
	return w
}

// signIn uses a link and returns the session's cookie.
func (o *office) signIn() *http.Cookie {
	o.t.Helper()
	link, err := url.Parse(o.server.SignInLink("http://" + listen))
	if err != nil {
		o.t.Fatal(err)
	}
	w := o.do(http.MethodPost, "/sign-in", url.Values{"token": {link.Query().Get("token")}}.Encode(), nil)
	cookies := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || len(cookies) != 1 {
		o.t.Fatalf("signing in: %d %v", w.Code, cookies)
	}
	return cookies[0]
}

// header makes the header of a sample mail.
func header(from, to, subject, id string) string {
	return fmt.Sprintf("From: %s\nTo: %s\nSubject: %s\nDate: Sat, 21 Nov 2026 05:00:00 +0000\nMessage-ID: <%s>\nMIME-Version: 1.0\n", from, to, subject, id)
}

// text makes a sample mail in UTF-8.
func text(from, to, subject, id, body string) string {
	return header(from, to, subject, id) + "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + body
}

// withFiles makes a sample mail with attachments; each file is its header's
// lines and its content.
func withFiles(from, to, subject, id, body string, files ...[2]string) string {
	var b strings.Builder
	b.WriteString(header(from, to, subject, id))
	b.WriteString("Content-Type: multipart/mixed; boundary=\"=_x\"\n\n--=_x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + body + "\n")
	for _, f := range files {
		b.WriteString("--=_x\n" + f[0] + "\nContent-Transfer-Encoding: base64\n\n")
		encoded := base64.StdEncoding.EncodeToString([]byte(f[1]))
		for len(encoded) > 76 {
			b.WriteString(encoded[:76] + "\n")
			encoded = encoded[76:]
		}
		b.WriteString(encoded + "\n")
	}
	b.WriteString("--=_x--\n")
	return b.String()
}

// screenshot is a small picture, as a customer would send one.
func screenshot(t *testing.T) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 320, 180))
	for y := range 180 {
		for x := range 320 {
			c := color.RGBA{240, 243, 244, 255}
			switch {
			case y < 24:
				c = color.RGBA{27, 102, 112, 255}
			case y > 70 && y < 110 && x > 60 && x < 260:
				c = color.RGBA{168, 50, 31, 255}
			}
			img.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var passedByRequest = []string{"probe", "duplicate", "own", "bounce", "automatic-reply", "automatic", "agent-proof", "agent-unverified", "reply-token", "reply-message-id", "reply-subject", "request-mentions"}

// week fills the office with what a small company gets, and a hostile mail.
func week(t *testing.T, lang string) *office {
	o := newOffice(t, lang)
	for i := range 12 {
		o.take(taken{desk: "SUP", ago: 50 * time.Hour, outcome: "skipped", rule: "first-start", rawMissing: true,
			raw: text("old"+fmt.Sprint(i)+"@example.net", "support@example.com", "Old mail", fmt.Sprintf("old%d@example.net", i), "old")})
	}
	o.take(taken{desk: "SUP", ago: 30 * time.Hour, outcome: "ignored", rule: "automatic", args: map[string]string{"kind": "bulk"}, passed: passedByRequest[:4],
		raw: text("Office News <news@shop.example>", "support@example.com", "Winter catalogue: 20 % on all chairs", "n1@shop.example", "Buy chairs.")})
	invoice, _ := o.take(taken{desk: "SAL", ago: 27 * time.Hour, outcome: "request", rule: "request", passed: passedByRequest, kind: "customer", state: "waiting", assignee: "aki@example.com", copy: "buchhaltung@kunde.example",
		raw: withFiles("Jörg Müller <joerg.mueller@kunde.example>", "sales@example.com", "Invoice 2026-114 shows the wrong address", "i1@kunde.example",
			"Good morning,\n\nthe invoice attached still shows our old address. Could you please send us a new one?\n\nOur new address:\nMüller GmbH\nHafenstraße 12\n20457 Hamburg\n\nKind regards\nJörg Müller",
			[2]string{"Content-Type: application/pdf\nContent-Disposition: attachment; filename*=utf-8''Rechnung%202026-114%20%E8%AB%8B%E6%B1%82%E6%9B%B8.pdf", "%PDF-1.7 sample" + strings.Repeat("x", 70000)})})
	o.take(taken{desk: "SAL", ago: 26 * time.Hour, outcome: "reply", rule: "agent-proof", kind: "agent", request: invoice, verified: true,
		raw: text("Aki Tanaka <aki@example.com>", "sales@example.com", "Re: Invoice 2026-114", "a1@example.com", "Dear Mr Müller,\n\nthank you for telling us. The corrected invoice will be with you tomorrow.\n\nKind regards\nAki Tanaka")})
	o.take(taken{desk: "SAL", ago: 5 * time.Hour, outcome: "bounce", rule: "bounce", args: map[string]string{"recipient": "buchhaltung@kunde.example", "status": "5.1.1", "outbox": "3"}, kind: "note", request: invoice,
		raw: text("Mail Delivery Subsystem <mailer-daemon@mx.kunde.example>", "sales@example.com", "Undelivered mail returned to sender", "b1@mx.kunde.example", "<buchhaltung@kunde.example>: user unknown")})
	login, _ := o.take(taken{desk: "SUP", ago: 3 * time.Hour, outcome: "request", rule: "request", passed: passedByRequest, kind: "customer", assignee: "aki@example.com",
		raw: withFiles("=?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte("山田 花子"))+"?= <hanako.yamada@example.jp>", "support@example.com", "=?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte("管理画面にログインできません"))+"?=", "l1@example.jp",
			"サポートご担当者様\n\nいつもお世話になっております。株式会社みどり商事の山田です。\n\n今朝から管理画面にログインできません。パスワードを入力すると、添付の画面が表示されます。\nお手数ですが、ご確認をお願いいたします。\n\n山田 花子",
			[2]string{"Content-Type: image/png; name=screen.png\nContent-Disposition: attachment; filename=screen.png", screenshot(t)})})
	o.take(taken{desk: "SUP", ago: 2 * time.Hour, outcome: "reply", rule: "agent-proof", kind: "agent", request: login, verified: true,
		raw: text("Aki Tanaka <aki@example.com>", "support@example.com", "Re: SUP-1", "l2@example.com", "山田様\n\nお問い合わせありがとうございます。サポートの田中です。\nパスワードの有効期限が切れておりましたので、再設定のメールをお送りしました。\n\nご確認をお願いいたします。\n\n田中")})
	o.take(taken{desk: "SUP", ago: 100 * time.Minute, outcome: "note", rule: "automatic-reply", kind: "note", request: login,
		raw: text("hanako.yamada@example.jp", "support@example.com", "=?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte("外出中です"))+"?=", "l3@example.jp", "ただいま外出しております。15時に戻ります。")})
	o.take(taken{desk: "SUP", ago: 70 * time.Minute, outcome: "note", rule: "agent-unverified", kind: "note", request: login,
		raw: text("Aki Tanaka <aki@example.com>", "support@example.com", "Re: [SUP-1]", "f1@evil.example", "Please send the password to me.")})
	o.take(taken{desk: "SUP", ago: 12 * time.Minute, outcome: "reply", rule: "reply-token", kind: "customer", request: login, passed: passedByRequest[:7],
		raw: text("hanako.yamada@example.jp", "support@example.com", "Re: [SUP-1]", "l4@example.jp", "田中様\n\n無事にログインできました。ありがとうございました。\n\n2026年11月21日(土) 12:32 サポート窓口 <support@example.com>:\n> 山田様\n>\n> お問い合わせありがとうございます。サポートの田中です。\n> パスワードの有効期限が切れておりましたので、再設定のメールをお送りしました。\n")})
	o.take(taken{desk: "SUP", ago: 8 * time.Minute, outcome: "quarantined", rule: "quarantined-broken", args: map[string]string{"error": "index out of range [3] with length 3"}, problems: []string{"header-line-without-colon", "boundary-missing", "charset-guessed"},
		raw: text("scanner@printer.example", "support@example.com", "Scan_0042", "s1@printer.example", "scan")})
	o.take(taken{desk: "SUP", ago: 5 * time.Minute, outcome: "request", rule: "request-mentions", passed: passedByRequest[:10], kind: "customer", linked: login, args: map[string]string{"no_answer": "cap-hour"}, problems: []string{"characters-unreadable"}, raw: hostile})
	o.take(taken{desk: "SUP", ago: 30 * time.Second, outcome: "request", rule: "request", passed: passedByRequest, kind: "customer",
		raw: text("Priya Raman <priya@bakery.example>", "support@example.com", "How do I add a second user to our account, and can each of them have their own password?", "p1@bakery.example", "Hello,\n\nwe have a new colleague. How do I add her?\n\nThanks,\nPriya")})
	o.write(func(tx *store.Tx) error {
		for _, l := range []store.OutboxLine{
			{RequestID: login, Event: "received", To: mail.Address{Name: "山田 花子", Address: "hanako.yamada@example.jp"}, State: store.OutboxSent},
			{RequestID: login, Event: "answered", To: mail.Address{Name: "山田 花子", Address: "hanako.yamada@example.jp"}, State: store.OutboxSent},
			{RequestID: invoice, Event: "answered", To: mail.Address{Address: "buchhaltung@kunde.example"}, State: store.OutboxFailed, Cause: "smtp-recipient-unknown", Error: "550 5.1.1 <buchhaltung@kunde.example>: Recipient address rejected: User unknown in local recipient table"},
		} {
			state := l.State
			l.DeskID, l.State, l.CreatedAt, l.NextAt = o.desks["SUP"].ID, store.OutboxWaiting, o.now.Add(-time.Hour), o.now.Add(-time.Hour)
			l.MessageID = l.Event + l.To.Address + "@example.com"
			if err := tx.Queue(&l); err != nil {
				return err
			}
			l.State, l.FirstAt, l.Attempts = state, o.now.Add(-time.Hour), 1
			if state == store.OutboxSent {
				l.SentAt = o.now.Add(-time.Hour)
			}
			if err := tx.SaveOutbox(l); err != nil {
				return err
			}
		}
		return nil
	})
	if _, err := o.store.IndexNext(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	counts, err := o.store.OutboxCounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o.status.Outbox = counts
	o.status.Ledger = LedgerStatus{Total: 23, Today: 9, Skipped: 12, Quarantined: 1}
	ok := o.part("ok", 26*time.Hour, nil)
	o.status.Desks = []DeskStatus{
		{Key: "SUP", Name: o.desks["SUP"].Name, Mailbox: ok, Relay: ok}, {Key: "SAL", Name: o.desks["SAL"].Name, Mailbox: ok, Relay: ok},
	}
	return o
}

// hostile tries to become part of the page in every place that it reaches.
var hostile = withFiles(`"\"><img src=x onerror=alert(1)>" <evil@example.net>`, "support@example.com", `<script>alert("subject")</script>{{.Deps}}`, `<b>id</b>@example.net`,
	"</div></article><script>alert('body')</script>\n<a href=\"javascript:alert(1)\">x</a>\n\n> <iframe src=//evil.example></iframe>\n",
	[2]string{"Content-Type: text/html\nContent-Disposition: attachment; filename=\"\\\"><script>alert(2)</script>.html\"", "<script>alert('file')</script>"},
	[2]string{"Content-Type: image/svg+xml\nContent-Disposition: inline; filename=logo.svg", `<svg xmlns="http://www.w3.org/2000/svg"><script>alert('svg')</script></svg>`},
	[2]string{"Content-Type: image/png\nContent-Disposition: inline; filename=fake.png", "<html><script>alert('png')</script></html>"})

var keyLeft = regexp.MustCompile(`(nav|page|status|act|take|observed|import|why|cli|state|sign-in|requests?|event|cause|ledger|entry|outcome|rule|arg|problem|error|time)\.[a-z]+[a-z-]*[a-z]`)
