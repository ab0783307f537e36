package config

import (
	"fmt"
	"strings"
	"testing"
)

// sameRows are about addresses and mailboxes that two desks claim under two spellings.
func sameRows() []row {
	return []row{
		{`Sales`, `agents`, "aliases = [\"support+sales@example.com\"]\nagents", nil}, // another address
		{`Sales`, `agents`, "aliases = [\"s.ales@gmail.com\", \"sales@googlemail.com\"]\nagents", nil},
		{`Support`, `agents`, "aliases = [\"help.desk@gmail.com\"]\nagents", nil},
		{`"support@example.com"`, "\"sales@example.com\"\nagents", "\"Support@EXAMPLE.com\"\nagents", []string{
			`30: desk "Sales": address: the desks "Support" and "Sales" both have the address "Support@EXAMPLE.com". An address belongs to one desk: remove it from "Support" or from "Sales".`}},
		{``, valid[strings.Index(valid, `address = "support@example.com"`):], `address = "help.desk@gmail.com"
agents = ["aki@example.com"]
mailbox = { host = "imap.example.com", username = "support", password = "x" }
[[desk]]
name = "Sales"
key = "SAL"
address = "HelpDesk@googlemail.com"
agents = ["ben@example.com"]
mailbox = { host = "imap.example.com", username = "sales", password = "x" }
`, []string{`27: desk "Sales": address: "HelpDesk@googlemail.com" of the desk "Sales" and "help.desk@gmail.com" of the desk "Support" are one address: Gmail takes no notice of dots, and googlemail.com is gmail.com. An address belongs to one desk: remove it from "Support" or from "Sales".`}},
		{`Sales`, "host = \"imap.example.com\"\nusername = \"sales\"", "host = \"pop.example.com\"\nprotocol = \"pop3\"\nusername = \"Support\"", []string{
			`35: desk "Sales": mailbox.username: the desks "Support" and "Sales" read the same mailbox under two names (folder "INBOX" of "support" at imap.example.com and of "Support" at pop.example.com), so each would miss mail. Give "Sales" a mailbox or a folder of its own, or make its address an alias of "Support".`}},
	}
}

// Which mailboxes are one, whatever their names.
func TestSameMailbox(t *testing.T) {
	for _, test := range []struct {
		a, b string // protocol host[:port] user folder, of support@example.com and sales@example.com
		same bool
	}{
		{"imap mail.example.com support INBOX", "imap MAIL.example.com. Support inbox", true},
		{"imap mail.example.com support INBOX", "imap mail.example.com sales INBOX", false},
		{"imap mail.example.com support INBOX", "imap mail.example.org support INBOX", false},
		{"imap mail.example.com support INBOX", "imap mail.example.com support Sales", false},
		{"imap mail.example.com support INBOX", "pop3 mail.example.com support INBOX", true},
		{"imap mail.example.com support Sales", "pop3 mail.example.com support INBOX", false},
		{"imap mail.example.com support INBOX", "pop3 mail.example.com support Other", true}, // POP3 knows no other
		{"imap imap.example.com support INBOX", "pop3 pop3.example.com support INBOX", true},
		{"imap imap.example.com support INBOX", "imap example.com support INBOX", false},
		{"imap mail.example.com support INBOX", "imap mail.example.com support@example.com INBOX", true},
		{"imap mail.example.com support@example.com INBOX", "imap mail.example.com support INBOX", true},
		{"imap mail.example.com support INBOX", "imap mail.example.com support@example.org INBOX", false},
		{"imap mail.example.com sup+port@example.com INBOX", "imap mail.example.com sup@example.com INBOX", false},
		{"imap mail.example.com s.up@example.com INBOX", "imap mail.example.com sup@example.com INBOX", false},

		{"imap imap.gmail.com help.desk@gmail.com INBOX", "imap imap.gmail.com HelpDesk@googlemail.com INBOX", true},
		{"imap imap.gmail.com helpdesk@gmail.com INBOX", "imap imap.googlemail.com help.desk+sales@gmail.com INBOX", true},
		{"imap imap.gmail.com helpdesk@gmail.com INBOX", "pop3 pop.gmail.com helpdesk@gmail.com INBOX", true},
		{"imap imap.gmail.com helpdesk@gmail.com INBOX", "imap imap.gmail.com helpdesk INBOX", true},
		{"imap imap.gmail.com helpdesk@gmail.com INBOX", "imap imap.gmail.com salesdesk@gmail.com INBOX", false},
		{"imap imap.gmail.com helpdesk@gmail.com INBOX", "imap imap.gmail.com helpdesk@gmail.com Sales", false},
		{"imap imap.gmail.com help.desk@example.com INBOX", "imap imap.gmail.com helpdesk@example.com INBOX", false}, // of a company's own domain
		{"imap imap.gmail.com Help.Desk@example.com INBOX", "imap imap.googlemail.com help.desk+x@example.com INBOX", true},
		{"imap imap.gmail.com helpdesk@gmail.com INBOX", "imap mail.example.com help.desk@gmail.com INBOX", false},

		{"imap imap.gmx.net a@gmx.de INBOX", "pop3 pop.gmx.net A@gmx.de INBOX", true},
		{"imap imap.gmx.net a@gmx.de INBOX", "imap imap.gmx.de a@gmx.de INBOX", true},
		{"imap outlook.office365.com a@example.com INBOX", "imap imap-mail.outlook.com a@example.com INBOX", true},
		{"imap imap.mail.yahoo.co.jp taro INBOX", "pop3 pop.mail.yahoo.co.jp taro INBOX", true},
		{"imap a.sakura.ne.jp support INBOX", "imap b.sakura.ne.jp support INBOX", false}, // another customer's server
		{"imap a.sakura.ne.jp a@example.com INBOX", "imap b.sakura.ne.jp a@example.com INBOX", false},
		{"imap imap.strato.de support INBOX", "imap own.strato.de support INBOX", false},

		{"imap 127.0.0.1:1143 support INBOX", "imap localhost:1143 support INBOX", true},
		{"imap 127.0.0.1:1143 support INBOX", "imap 127.0.0.1:2143 support INBOX", false}, // tunnels to two servers
		{"imap 127.0.0.1:143 support INBOX", "imap localhost:993 support INBOX", true},
		{"imap mail.example.com:1143 support INBOX", "imap mail.example.com:2143 support INBOX", true},
	} {
		make := func(s, address string) *Desk {
			d := DefaultDesk()
			d.Address = address
			m := &d.Mailbox
			if _, err := fmt.Sscan(s, &m.Protocol, &m.Host, &m.Username, &m.Folder); err != nil {
				t.Fatal(err)
			}
			m.Port = 993
			if host, port, found := strings.Cut(m.Host, ":"); found {
				m.Host = host
				if _, err := fmt.Sscan(port, &m.Port); err != nil {
					t.Fatal(err)
				}
			}
			return &d
		}
		a, b := make(test.a, "support@example.com"), make(test.b, "sales@example.com")
		if sameMailbox(a, b) != test.same || sameMailbox(b, a) != test.same {
			t.Errorf("%s and %s: same is %v", test.a, test.b, !test.same)
		}
	}
}
