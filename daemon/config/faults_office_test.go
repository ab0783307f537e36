package config

import (
	"slices"
	"strings"
	"testing"
)

// inDesk adds lines to the first desk (from line 22) and inMailbox to its
// mailbox (from line 27), where tables of the desk can follow.
func inDesk(lines string, want ...string) row {
	return row{`Support`, `agents`, lines + "\nagents", want}
}

func inMailbox(lines string, want ...string) row {
	return row{`Support`, `password = "x"`, "password = \"x\"\n" + lines, want}
}

// atTop adds lines above [ui], from line 3.
func atTop(lines string, want ...string) row {
	return row{``, `[ui]`, lines + "\n[ui]", want}
}

// officeRows are about who may write, times, limits and notices.
func officeRows() []row {
	const support = `desk "Support": `
	return []row{
		inDesk(`public_signup = false`),
		inDesk("public_signup = false\ncustomer_domains = [\"example.com\", \"sub.Example.net\"]\nallow = [\"a@b.example\", \"robot.example\"]\nblock = [\"robot@b.example\", \"b.example\"]"),
		inDesk("automatic = \"keep\"\nmode = \"observe\"\nanswer_unknown = true\ncustomer_language = \"mail\""),
		inDesk(`mode = "test"`, `22: `+support+`mode: "test" is not possible here. Write one of: live, observe.`),
		inDesk(`automatic = "drop"`, `22: `+support+`automatic: "drop" is not possible here. Write one of: ignore, keep.`),
		inDesk(`customer_language = "ja"`, `22: `+support+`customer_language: "ja" is not possible here. Write one of: desk, mail.`),
		inDesk("public_signup = false\ncustomer_domains = [\"@example.com\"]", `23: `+support+`customer_domains[1]: "@example.com" is not a domain. Write just the part of the addresses behind the @, as "example.com"; domains below it are included.`),
		inDesk("public_signup = false\ncustomer_domains = [\"taro@shop.example\"]", `23: `+support+`customer_domains[1]: "taro@shop.example" is not a domain. Write just the part of the addresses behind the @, as "shop.example"; domains below it are included.`),
		inDesk(`customer_domains = ["example.com"]`, `22: warning: `+support+`customer_domains: this has no effect: with public_signup = true everybody may write to this desk. Write public_signup = false to let in known customers and these domains only, or delete this line.`),
		inDesk(`allow = ["a@b.example", "*.example.org"]`, `22: `+support+`allow[2]: "*.example.org" is neither an e-mail address nor a domain. Write an address, as "name@example.com", or a domain, as "example.org"; domains below it are included.`),
		inDesk("block = [\"b.example\",\n \"https://shop.example/x\"]", `23: `+support+`block[2]: "https://shop.example/x" is neither an e-mail address nor a domain. Write an address, as "name@example.com", or a domain, as "shop.example"; domains below it are included.`),
		inDesk(`block = ["a b", 5]`,
			`22: `+support+`block[2]: this must be text between double quotes. Write block[2] = "5".`,
			`22: `+support+`block[1]: "a b" is neither an e-mail address nor a domain. Write an address, as "name@example.com", or a domain, as "example.com"; domains below it are included.`),
		inDesk("allow = [\"B.example\"]\nblock = [\"b.example\"]", `23: warning: `+support+`block[1]: "b.example" is in allow and in block; it is blocked. Delete it from one of the two.`),
		inDesk(`block = ["example.com"]`, `22: warning: `+support+`block[1]: "example.com" is the agent aki@example.com too: their answers to notifications are taken all the same, other mail of theirs is not. Delete it, or add "aki@example.com" to allow.`),
		inDesk("block = [\"example.com\"]\nallow = [\"Aki@example.com\"]"),
		inDesk(`block = ["le.com"]`),

		inDesk("reopen = \"30d\"\nauto_close = \"7d\"\nremind = \"4h\"\nhours = [\"mon-fri 09:00-17:30\", \"sat 10:00-12:00\"]\nholidays = [\"2026-12-25\", \"01-01\", \"02-29\"]\ntimezone = \"Asia/Tokyo\""),
		inDesk("reopen = \"0\"\nauto_close = \"0\"\nremind = \"\"\nhours = []"),
		inDesk(`reopen = "soon"`, `22: `+support+`reopen: "soon" is not a time span. Write a whole number and a unit: "30s", "5m", "4h" or "14d".`),
		inDesk(`auto_close = "5m"`, `22: `+support+`auto_close: "5m" is too small. The smallest possible value is 1h; "0" switches it off.`),
		inDesk(`remind = "4"`, `22: `+support+`remind: "4" has no unit. Write "4s" or "4m" ("4h" for hours, "4d" for days).`),
		inDesk(`remind = "30s"`, `22: `+support+`remind: "30s" is too small. The smallest possible value is 1m; "0" switches it off.`),
		inDesk(`hours = ["mon-fri 09:00-17:30", "sometimes"]`, `22: `+support+`hours[2]: "sometimes" is not understood as office hours. Write days and times, as "mon-fri 09:00-17:30" or "mon,wed 09:00-12:00 13:00-17:00"; for hours past midnight write two, as "fri 22:00-24:00" and "sat 00:00-02:00".`),
		inDesk(`hours = ["fri 22:00-02:00"]`, `22: `+support+`hours[1]: "fri 22:00-02:00" is not understood as office hours. Write days and times, as "mon-fri 09:00-17:30" or "mon,wed 09:00-12:00 13:00-17:00"; for hours past midnight write two, as "fri 22:00-24:00" and "sat 00:00-02:00".`),
		inDesk(`holidays = ["2026-02-29"]`, `22: `+support+`holidays[1]: "2026-02-29" is not a day. Write "2026-12-25", or "01-01" for the first of January of each year.`),
		inDesk(`timezone = "CET+1"`, `22: `+support+`timezone: "CET+1" is not a time zone. Write its name with continent and city, as "Europe/Berlin" or "Asia/Tokyo", or delete the line to use this machine's.`),

		atTop("[limits]\nautomatic_per_hour = 1\nnotices = 1000"),
		atTop("[limits]\nautomatic_per_hour = -1\nmails_of_sender = 0",
			`4: limits.automatic_per_hour: "-1" is too small. The smallest possible value is 0.`,
			`5: warning: limits.mails_of_sender: 0 is no limit: a mistake or an attack can then cause any number of mails. Delete the line to have the usual limit of 30.`),
		atTop("[retention]\nledger = \"0\"\nraw = \"400d\"\nrequests = \"0\""),
		atTop("[retention]\nledger = \"1h\"", `4: retention.ledger: "1h" is too small. The smallest possible value is 1d; "0" switches it off.`),
		atTop("[notify]\nweekly = false\nfuse = false\nquarantine = false\nfailures = false"),
		atTop("[notify]\nreceived = false", `4: notify.received: received does not belong here. Move the line below [desk.notify].`),

		inMailbox("[desk.notify]\nreceived = false\nresolved = false\ncustomer_wrote = false"),
		inMailbox("[desk.notify]\nanswered = false", `28: warning: `+support+`notify.answered: what agents answer is then not sent to customers. Delete the line, unless this desk is to answer nobody.`),
		inMailbox("[desk.notify]\ntemplates = \"nothere\"", `28: `+support+`notify.templates: there is no folder "DIR/nothere". Correct the name, or make the folder; a name without a folder before it is looked for beside this configuration.`),
		inMailbox("[desk.notify]\ntemplates = \"pass\"", `28: `+support+`notify.templates: there is no folder "DIR/pass". Correct the name, or make the folder; a name without a folder before it is looked for beside this configuration.`),
		inMailbox("[desk.notify]\ntemplates = \".\""),
		inMailbox("[desk.notify]\ncustomer-wrote = false", `28: `+support+`notify.customer-wrote: there is no setting customer-wrote here. Did you mean customer_wrote?`),
		inMailbox(`backlog = "import"`),
		inMailbox(`backlog = "all"`, `27: `+support+`mailbox.backlog: "all" is not possible here. Write one of: skip, import, process.`),
	}
}

// typeRows are about request types. The first field is in line 29.
func typeRows() []row {
	const support = `desk "Support": `
	const head = "[[desk.request_type]]\nname = \"Email request\"\n" // lines 27, 28
	field := func(lines string) string { return "[[desk.request_type.field]]\n" + lines + "\n" }
	both := field("name = \"summary\"\nrequired = true") + field("name = \"description\"\nvisible = true") // lines 29 to 34
	return []row{
		inMailbox(head),
		inMailbox(head + both),
		inMailbox(head + field("name = \"summary\"\nrequired = true") + field("name = \"description\"\nrequired = true")),
		inMailbox(head + both + field("name = \"priority\"\ndefault = \"normal\"") + field("name = \"Product\"\nchoices = [\"Printer\", \"Phone\"]\ndefault = \"Phone\"") + field("name = \"attachment\"\nvisible = false")),
		inMailbox("[[desk.request_type]]\nname = \"Fault\""), // the only one, so the mailbox has it
		inMailbox("[[desk.request_type]]\nname = \"Fault\"\n[[desk.request_type]]\nname = \"Order\"",
			`23: `+support+`mailbox.request_type: this desk has no request type "Email request", so its mail cannot become requests. Write request_type below [desk.mailbox] as one of: "Fault", "Order".`),
		inMailbox("request_type = \"Order\"\n[[desk.request_type]]\nname = \"Fault\"\n[[desk.request_type]]\nname = \"Order\""),
		inMailbox("request_type = \"order\"\n[[desk.request_type]]\nname = \"Order\"",
			`27: `+support+`mailbox.request_type: this desk has no request type "order", so its mail cannot become requests. Write request_type below [desk.mailbox] as one of: "Order".`),
		inMailbox(`request_type = "Order"`,
			`27: `+support+`mailbox.request_type: this desk has no request type "Order", so its mail cannot become requests. Write request_type below [desk.mailbox] as one of: "Email request".`),
		inMailbox(head+head, `30: `+support+`request_type[2].name: two request types of this desk have the name "Email request". Give each its own name.`),
		inMailbox("[[desk.request_type]]\n"+both,
			`27: `+support+`request_type[1].name: this setting is missing. Add a line name = "…"; helpdesk.toml.example shows what to write.`),
		inMailbox(head+field(`name = "summary"`),
			`27: `+support+`request_type[1]: the request type "Email request" of the mailbox has no field "description", so mail cannot become requests. Add a [[desk.request_type.field]] with name = "description" and visible = true.`),
		inMailbox(head+field("name = \"summary\"\nvisible = false")+field(`name = "description"`),
			`31: `+support+`request_type[1].field[1].visible: the field "summary" of the mailbox's request type "Email request" is hidden, so mail cannot become requests. Write visible = true there.`),
		inMailbox(head+field(`name = "summary"`)+field("name = \"description\"\nvisible = false"),
			`33: `+support+`request_type[1].field[2].visible: the field "description" of the mailbox's request type "Email request" is hidden, so mail cannot become requests. Write visible = true there.`),
		inMailbox(head+both+field("name = \"Order number\"\nrequired = true"),
			`37: `+support+`request_type[1].field[3].required: the field "Order number" of the mailbox's request type "Email request" is required, and a mail cannot fill it in. Write required = false there, or give the mailbox another request_type.`),
		inMailbox(head + both + "[[desk.request_type]]\nname = \"Form\"\n" + field("name = \"Order number\"\nrequired = true")), // not the mailbox's
		inMailbox(head+both+field(`name = "Summary"`), `36: `+support+`request_type[1].field[3].name: the request type "Email request" has two fields "Summary". Delete one of the two, or give it another name.`),
		inMailbox(head+both+field(`name = "a: b"`), `36: `+support+`request_type[1].field[3].name: "a: b" cannot be the name of a field. Write at most 40 letters, without colon, # and line ends, and without spaces around it.`),
		inMailbox(head+both+field(`name = "Spam"`), `36: `+support+`request_type[1].field[3].name: "Spam" is a command in agents' mails, so it cannot be the name of a field. Give the field another name.`),
		inMailbox(head+both+field("name = \"Product\"\nchoices = [\"Phone\", \"\", \"phone\"]"),
			`37: `+support+`request_type[1].field[3].choices[2]: a choice is empty. Write a word there, or delete it: a field that is not required can be left empty anyway.`,
			`37: `+support+`request_type[1].field[3].choices[3]: the choice "phone" stands here twice. Delete one of the two; capital and small letters are no difference.`),
		inMailbox(head+both+field("name = \"Product\"\nchoices = [\"Phone\"]\ndefault = \"Fax\""),
			`38: `+support+`request_type[1].field[3].default: "Fax" is not among the choices of this field. Write one of: "Phone", or add it to choices.`),
		inMailbox(head+both+field("name = \"priority\"\ndefault = \"urgent\""),
			`37: `+support+`request_type[1].field[3].default: "urgent" is not among the choices of this field. Write one of: "low", "normal", "high", or add it to choices.`),
		inMailbox(head+field("name = \"summary\"\ndefault = \"-\"")+field(`name = "description"`),
			`29: warning: `+support+`request_type[1].field[1]: what stands in "summary" always comes from the mail, so default and choices have no effect. Delete default and choices there.`),
		inMailbox(head+field("name = \"summary\"\nchoice = [\"a\"]")+field(`name = "description"`),
			`31: `+support+`request_type[1].field[1].choice: there is no setting choice here. Did you mean choices?`),
	}
}

// Where every desk only observes, no relay is needed; where one does not, it is.
func TestObservingNeedsNoRelay(t *testing.T) {
	noRelay := strings.Replace(valid, "[relay]\nhost = \"smtp.example.com\"\nusername = \"support\"\npassword = \"x\"\n", "", 1)
	observing := strings.ReplaceAll(noRelay, "agents = [", "mode = \"observe\"\nagents = [")
	c, faults := loadText(t, folder(t), observing)
	if c == nil || len(faults) > 0 || c.Relay.Enabled || c.Desks[0].Relay.Enabled {
		t.Errorf("only observing: %v", printedAll(faults))
	}
	for name, text := range map[string]string{
		"one desk is live":        strings.Replace(observing, "mode = \"observe\"", "mode = \"live\"", 1),
		"the relay is to be used": observing[:strings.Index(observing, "[[trust]]")] + "[relay]\nenabled = true\n" + observing[strings.Index(observing, "[[trust]]"):],
	} {
		if c, faults := loadText(t, folder(t), text); c != nil || !Refused(faults) {
			t.Errorf("%s, and there is no relay: %v", name, printedAll(faults))
		}
	}
}

func TestNotifyOff(t *testing.T) {
	n := DefaultDesk().Notify
	if off := n.Off(); len(off) != 0 {
		t.Errorf("by default off: %v", off)
	}
	n.CustomerWrote, n.Held = false, false
	if off := n.Off(); !slices.Equal(off, []string{"customer-wrote", "held"}) {
		t.Errorf("off: %v", off)
	}
}

// What a mail becomes, and which fields are beside the mail.
func TestDeskType(t *testing.T) {
	names := func(fields []Field) (all []string) {
		for _, f := range fields {
			all = append(all, f.Name)
		}
		return all
	}
	d := DefaultDesk()
	if got := d.Type(); got.Name != "Email request" || !slices.Equal(names(got.Fields), []string{"summary", "description", "attachment"}) || len(got.Own()) > 0 {
		t.Errorf("without types: %+v", got)
	}
	d.RequestTypes = []RequestType{{Name: "Fault"}, {Name: "Order", Fields: []Field{
		{Name: "summary", Visible: true}, {Name: "Product", Visible: true}, {Name: "description", Visible: true}, {Name: "Hidden"}, {Name: "priority", Visible: true},
	}}}
	d.Mailbox.RequestType = "Order"
	if got := d.Type(); got.Name != "Order" || !slices.Equal(names(got.Own()), []string{"Product", "priority"}) {
		t.Errorf("%+v", got)
	}
}
