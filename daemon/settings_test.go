package daemon

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
)

// What the configuration says of a desk reaches deciding and writing.
func TestDeskSettings(t *testing.T) {
	c := config.Default()
	d := config.DefaultDesk()
	d.Address, d.CustomerDomains, d.Allow, d.Block = "support@example.com", []string{"Example.ORG"}, []string{"A@b.example"}, []string{"B.example "}
	d.RequestTypes = []config.RequestType{{Name: "Fault", Fields: []config.Field{
		{Name: "summary", Visible: true}, {Name: "description", Visible: true}, {Name: "Floor", Default: "1"},
		{Name: "Product", Visible: true, Default: "Phone", Choices: []string{"Phone", "Printer"}},
	}}}
	d.PublicSignup, d.AnswerUnknown, d.Automatic, d.CustomerLanguage = false, true, config.AutomaticKeep, config.LanguageOfMail
	d.Reopen = config.Duration(48 * time.Hour)
	d.Notify.CustomerWrote = false
	c.Desks = []config.Desk{d, config.DefaultDesk()}
	c.Desks[1].Address, c.Desks[1].Aliases = "sales@example.com", []string{"shop@example.com"}
	c.Limits = config.Limits{AutomaticPerHour: 1, AutomaticPerDay: 2, AutomaticInAll: 3, NoticesOfSender: 4, Notices: 5, MailsOfSender: 6}
	c.Fill()
	s := (&daemon{Options: Options{Config: c}}).deskSettings(7, &c.Desks[0])
	if s.PublicSignup || !s.AnswerUnknown || !s.KeepAutomatic || s.CustomerLanguage != "mail" || s.Reopen != 48*time.Hour || s.ID != 7 {
		t.Errorf("%+v", s)
	}
	for _, pair := range [][2]any{
		{s.CustomerDomains, []string{"example.org"}}, {s.Allow, []string{"a@b.example"}}, {s.Block, []string{"b.example"}},
		{s.Others, []string{"sales@example.com", "shop@example.com"}}, {s.Muted, map[string]bool{desk.EventCustomerWrote: true}},
		{s.Type, desk.RequestType{Name: "Fault", Fields: []desk.Field{{Name: "Product", Default: "Phone", Choices: []string{"Phone", "Printer"}}}}},
		{s.Limits, desk.Limits{AutomaticHour: 1, AutomaticDay: 2, AutomaticInAll: 3, NoticesOfSender: 4, Notices: 5, Mails: 6}},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("got %+v, want %+v", pair[0], pair[1])
		}
	}
}

// Each key of [desk.notify] is an event that desk sends: a slip in its name
// would switch nothing off.
func TestNotifyKeysAreEvents(t *testing.T) {
	events := map[string]bool{}
	parsed, err := parser.ParseFile(token.NewFileSet(), "desk/desk.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Event") {
			if l, ok := v.Values[0].(*ast.BasicLit); ok {
				if s, err := strconv.Unquote(l.Value); err == nil {
					events[s] = true
				}
			}
		}
		return true
	})
	off := new(config.Notify).Off()
	if len(off) != 11 || len(events) < len(off) {
		t.Fatalf("%d keys, %d events", len(off), len(events))
	}
	for _, event := range off {
		if !events[event] {
			t.Errorf("there is no event %q", event)
		}
	}
}
