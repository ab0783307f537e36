package daemon

import "testing"

// relayRows fail behind the greeting of a relay, by Postfix's own rules and by
// those of recipients that misbehave.
func (h *failingHosts) relayRows(t *testing.T) []failing {
	m := h.hosts
	anonymous := "anonymous = true"
	host := []string{"mail.test"}
	refusing := func(answer string) string {
		return says(t, "220 mail.test ESMTP", "EHLO=>250-mail.test\r\n250 STARTTLS", "STARTTLS=>"+answer)
	}
	later, never := refusing("454 4.7.0 TLS not available due to local problem"), refusing("502 5.5.1 Error: command not implemented")
	return []failing{
		{name: "smtp: works", protocol: "smtp", address: m.Submission, security: "starttls", trust: "hosts"},
		{name: "smtp: a message is sent", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", to: stageCustomer},
		{name: "smtp: 454 to STARTTLS", protocol: "smtp", address: later, security: "starttls", step: "starttls", cause: "tls-starttls-unavailable", words: []string{portOf(later)}},
		{name: "smtp: 502 to STARTTLS", protocol: "smtp", address: never, security: "starttls", step: "starttls", cause: "tls-starttls-unavailable", words: []string{portOf(never)}},
		{name: "smtp: log-in required", protocol: "smtp", address: m.Submission, security: "starttls", trust: "hosts", set: anonymous + "\naddress = desk@elsewhere.test", to: stageCustomer, step: "rcpt-to", cause: "auth-required", words: []string{"anonymous = false"}},
		{name: "smtp: encryption required", protocol: "smtp", address: m.Submission, security: "none", set: anonymous, to: stageCustomer, step: "mail-from", cause: "tls-required", words: []string{"starttls"}},
		{name: "smtp: no relaying", protocol: "smtp", address: m.SMTP, security: "starttls", trust: "hosts", set: anonymous + "\naddress = desk@elsewhere.test", to: "someone@elsewhere.test", step: "rcpt-to", cause: "smtp-relay-denied", words: host},
		{name: "smtp: another's sender address", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", set: "address = " + stageCustomer, to: stageCustomer, step: "mail-from", cause: "smtp-sender-not-permitted", words: host},
		{name: "smtp: nobody signed in for this sender address", protocol: "smtp", address: m.SMTP, security: "starttls", trust: "hosts", set: anonymous, to: stageCustomer, step: "mail-from", cause: "smtp-sender-not-permitted", words: []string{"anonymous = true"}},
		{name: "smtp: unknown recipient", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", to: "nobody-there@customer.test", step: "rcpt-to", cause: "smtp-recipient-unknown"},
		{name: "smtp: 450 4.7.1 to RCPT TO", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", to: "tempfail@customer.test", step: "rcpt-to", cause: "smtp-greylisted"},
		{name: "smtp: 452 4.2.2 to RCPT TO", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", to: "full@customer.test", step: "rcpt-to", cause: "smtp-recipient-mailbox-full"},
		{name: "smtp: 550 5.1.1 to RCPT TO", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", to: "nouser@customer.test", step: "rcpt-to", cause: "smtp-recipient-unknown"},
		{name: "smtp: 552 5.3.4 to RCPT TO", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", to: "toobig@customer.test", step: "rcpt-to", cause: "smtp-message-too-big", words: host},
		{name: "smtp: 554 5.7.1 to RCPT TO", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", to: "spam@customer.test", step: "rcpt-to", cause: "smtp-content-spam"},
		{name: "smtp: 421 4.3.2 to RCPT TO", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", to: "hangup@customer.test", step: "rcpt-to", cause: "server-temporary", words: host},
		{name: "smtp: message too large", protocol: "smtp", address: h.old.SMTP, security: "none", set: anonymous, to: stageCustomer, step: "mail-from", cause: "smtp-message-too-big", words: []string{"127.0.0.1"}},
	}
}

// replyRows are refusals that Postfix is told to give at each command.
func (h *failingHosts) replyRows() []failing {
	const at, from, to, end = "smtp", stageUser, stageCustomer, "END-OF-MESSAGE"
	var rows []failing
	for _, one := range []struct{ when, who, reply, step, cause string }{
		{"CONNECT", "", "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org", "greeting", "smtp-ip-blocklisted"},
		{"CONNECT", "", "554 5.7.1 Client host rejected: cannot find your reverse hostname", "greeting", "smtp-no-ptr"},
		{"CONNECT", "", "421 4.7.0 mail.test Error: too many connections from 192.0.2.7", "greeting", "too-many-connections"},
		{"CONNECT", "", "421 4.3.2 mail.test Service not available, shutting down", "greeting", "server-temporary"},
		{"EHLO", "", "550 5.7.1 Helo command rejected: need fully-qualified hostname", "ehlo", "smtp-helo-invalid"},
		{"EHLO", "", "450 4.7.1 Helo command rejected: Host not found", "ehlo", "smtp-helo-invalid"},
		{"EHLO", "", "451 4.3.5 Server configuration error", "ehlo", "server-temporary"},
		{"MAIL", from, "550 5.7.1 Sender address rejected: not allowed to send from this address", "mail-from", "smtp-sender-not-permitted"},
		{"MAIL", from, "554 5.7.1 Sender address rejected: Access denied", "mail-from", "smtp-sender-not-permitted"},
		{"MAIL", from, "550 5.4.5 Daily sending limit exceeded", "mail-from", "smtp-sending-quota"},
		{"MAIL", from, "451 4.3.0 Temporary lookup failure", "mail-from", "server-temporary"},
		{"MAIL", from, "452 4.3.1 Insufficient system storage", "mail-from", "server-temporary"},
		{"RCPT", to, "450 4.2.0 Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/", "rcpt-to", "smtp-greylisted"},
		{"RCPT", to, "451 4.3.0 Temporary lookup failure", "rcpt-to", "server-temporary"},
		{"RCPT", to, "552 5.2.2 Mailbox quota exceeded", "rcpt-to", "smtp-recipient-mailbox-full"},
		{"RCPT", to, "554 5.7.1 Access denied", "rcpt-to", "smtp-recipient-restricted"},
		{"RCPT", to, "550 5.7.133 Sender not authenticated for this group", "rcpt-to", "smtp-recipient-restricted"},
		{"DATA", from, "554 5.5.1 Error: no valid recipients", "data", "smtp-recipient-unknown"},
		{"DATA", from, "451 4.7.1 Please try again later", "data", "smtp-greylisted"},
		{end, from, "550 5.7.1 Message refused as spam", "data", "smtp-content-spam"},
		{end, from, "550 5.7.26 Unauthenticated email from mail.test is not accepted due to its DMARC policy", "data", "smtp-sender-unauthenticated"},
		{end, from, "554 5.7.0 Message contains a virus: Eicar-Test-Signature", "data", "smtp-attachment-blocked"},
		{end, from, "552 5.3.4 Message size exceeds fixed limit", "data", "smtp-message-too-big"},
		{end, from, "452 4.3.1 Insufficient system storage", "data", "server-temporary"},
		{end, from, "421 4.4.2 mail.test Error: timeout exceeded", "data", "net-timeout"},
	} {
		rows = append(rows, failing{
			name: "smtp: " + one.when + " " + one.reply, protocol: at, address: h.hosts.Submission, security: "starttls", trust: "hosts", to: to,
			fault: [3]string{one.when, one.who, one.reply}, step: one.step, cause: one.cause,
		})
	}
	return rows
}
