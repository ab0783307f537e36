package diagnose

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"helpdesk/mail"
)

// Hints are what is known besides the words that someone pasted. All may be "".
type Hints struct {
	Protocol string // "imap", "pop3", "smtp" or "oauth"; "net" or "tls" where no server answered; anything else: not known
	Host     string // host name of the server that the program talked to
	Port     string
	Auth     string // "password" or "oauth2"
}

// Read understands what people paste: lines of IMAP, POP3 and SMTP servers,
// answers of OAuth2 token endpoints, and what programs in use print about a
// failure, quoted, escaped and in any charset. It never fails: what it cannot
// tell stays empty. Secrets of the client's own lines are struck out.
func Read(text string, h Hints) *mail.Error {
	data := loaded()
	text = legible(text)
	r := reader{text: text, folded: evident(text), e: &mail.Error{Text: text, Auth: h.Auth, Temporary: true}}
	r.codes(h.Protocol)
	if h.Protocol == "net" || h.Protocol == "tls" {
		r.replied = false
	}
	r.server(h)
	host, port := address(r.e.Server)
	e := &evidence{
		protocol: r.e.Protocol, auth: h.Auth, code: strings.ToUpper(r.e.Code), enhanced: r.e.Enhanced, host: host, port: port,
		aadsts: aadsts(r.folded), text: r.folded, words: wordsOf(r.folded),
	}
	if !r.replied {
		if e.class = first(data.classes, e); e.class != "" {
			r.e.Err = reported{e.class, text}
		}
	}
	r.e.Step = mail.StepToken
	if r.e.Protocol != "oauth" {
		r.e.Step = first(data.steps, e)
	}
	return r.e
}

// reported is an error of another program, read from its words.
type reported struct{ class, words string }

func (r reported) Error() string { return r.words }

// reader takes the codes out of words.
type reader struct {
	text, folded string
	replied      bool // a server's own answer is in it
	e            *mail.Error
}

// codes finds protocol, response codes and whether trying again may help.
func (r *reader) codes(protocol string) {
	oauth := oauthError.FindString(r.folded)
	if !slices.Contains([]string{"imap", "pop3", "smtp", "oauth"}, protocol) {
		protocol = r.protocol(oauth != "")
	}
	r.e.Protocol = protocol
	switch protocol {
	case "oauth":
		r.e.Code, r.replied = oauth, oauth != "" || len(aadsts(r.folded)) > 0
	case "imap", "pop3":
		r.e.Code = r.responseCode()
		r.replied = r.e.Code != "" || statusLine.MatchString(r.text)
	default:
		r.e.Code, r.e.Enhanced = replyCode(r.text), enhancedCode(r.text)
		r.replied = r.e.Code != "" || r.e.Enhanced != ""
		if protocol == "" && !r.replied {
			r.replied = statusLine.MatchString(r.text)
		}
		if first := r.e.Code + r.e.Enhanced; first != "" {
			r.e.Temporary = first[0] == '4'
		}
	}
}

// protocol tells it from the form of the words, "" where nothing tells.
func (r *reader) protocol(oauth bool) string {
	switch {
	case len(aadsts(r.folded)) > 0 || oauth || strings.Contains(r.folded, "oauth2: "):
		return "oauth"
	case strings.Contains(r.text, "-ERR"):
		return "pop3"
	case r.responseCode() != "" || statusLine.MatchString(r.text):
		return "imap"
	case replyCode(r.text) != "" || enhancedCode(r.text) != "":
		return "smtp"
	}
	return ""
}

var (
	oauthError = regexp.MustCompile(`\b(?:invalid_(?:grant|client|request|scope|token|rapt|resource)|unauthorized_client|unsupported_grant_type|interaction_required|login_required|` +
		`consent_required|mfa_required|access_denied|temporarily_unavailable|server_error|org_internal|admin_policy_enforced|authorization_(?:pending|declined)|expired_token|` +
		`slow_down|redirect_uri_mismatch|disallowed_useragent|deleted_client|account_selection_required|restricted_client|app_not_verified)\b`)

	// "a1 NO …", "* BYE …", "-ERR …", with what a program puts before it.
	statusLine = regexp.MustCompile(`(?m)(?:^|[\s"'(\[:,])(?:NO|BAD|BYE|-ERR)(?:[\s,:"']|$)`)

	// Response codes of IMAP (RFC 3501, 5530, 9051) and POP3 (RFC 2449, 3206),
	// and those of Gmail.
	brackets      = regexp.MustCompile(`\[([A-Z]+(?:[-/][A-Z]+)?)[\] ]`)
	responseCodes = strings.Fields("AUTHENTICATIONFAILED AUTHORIZATIONFAILED EXPIRED PRIVACYREQUIRED CONTACTADMIN UNAVAILABLE NOPERM INUSE EXPUNGEISSUED CORRUPTION " +
		"SERVERBUG CLIENTBUG CANNOT LIMIT OVERQUOTA ALREADYEXISTS NONEXISTENT TRYCREATE THROTTLED WEBALERT NOTSAVED TOOBIG PARSE " +
		"AUTH SYS/TEMP SYS/PERM LOGIN-DELAY IN-USE ALERT")
)

// responseCode is the first that says something: [ALERT] only asks to be shown.
func (r *reader) responseCode() string {
	alert := ""
	for _, m := range brackets.FindAllStringSubmatch(r.text, 20) {
		switch {
		case m[1] == "ALERT":
			alert = m[1]
		case slices.Contains(responseCodes, m[1]):
			return m[1]
		}
	}
	return alert
}

var (
	replyCodeAt = regexp.MustCompile(`(?:^|[\s"'(\[:;<=>#,])([45]\d\d)([-\s:;,)"'\]#]|$)(?:\s*([A-Za-z]+))?`)
	enhancedAt  = regexp.MustCompile(`(?:^|[^\d.v/])([45]\.[0-7]\.\d{1,3})(?:[^\d.]|\.(?:\D|$)|$)`)
	counted     = regexp.MustCompile(`^(?i:[kmg]i?b|bytes?|ms|milli\w*|sec\w*|min\w*|hours?|days?|messages?|mails?|e|recipients?|connections?)$`)
)

// replyCodes of SMTP in use: RFC 5321, 4954, 3207, 1846, and what servers made up.
// Ports (465, 587) and numbers of web servers (404) are none.
const smtpCodes = " 421 430 431 432 435 441 442 446 447 449 450 451 452 453 454 455 458 459 471 500 501 502 503 504 505 510 511 512 513 515 517 " +
	"520 521 522 523 525 530 531 532 533 534 535 538 540 541 542 543 544 546 547 548 549 550 551 552 553 554 555 556 557 559 560 569 570 571 572 573 574 575 577 "

func replyCode(text string) string {
	for i, m := range replyCodeAt.FindAllStringSubmatch(text, 20) {
		begins := i == 0 && strings.HasPrefix(text, m[1]) // there "550 Messages …" is no number of messages
		if strings.Contains(smtpCodes, " "+m[1]+" ") && (begins || !counted.MatchString(m[3])) {
			return m[1]
		}
	}
	return ""
}

func enhancedCode(text string) string {
	if m := enhancedAt.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

var (
	aadstsAt = regexp.MustCompile(`aadsts(\d{5,8})|"error_codes"\s*:\s*\[([\d, ]+)\]|error\?code=(\d{5,8})`)
	number   = regexp.MustCompile(`\d+`)
)

// aadsts are the error numbers of Microsoft's sign-in (Entra ID) in folded text.
func aadsts(folded string) []string {
	var numbers []string
	for _, found := range aadstsAt.FindAllString(folded, 10) {
		numbers = append(numbers, number.FindAllString(found, 10)...)
	}
	return numbers
}

// Where programs name the server that they tried, host before port: Go's
// "read tcp a:1->b:993", "dial tcp: lookup b on c:53", "dial tcp b:25", Postfix's
// "connect to b[192.0.2.1]:25", Java's "host: b, port: 25" and Node's.
var namedServer = []*regexp.Regexp{
	regexp.MustCompile(`->\[?([\w.:-]*[\w.-])\]?:(\d{1,5})(?:[:\s]|$)`),
	regexp.MustCompile(`\blookup ([\w.-]+)`),
	regexp.MustCompile(`\bconnect(?:ing|ed)? to ([\w.-]+)\[[^\]]*\]:(\d{1,5})`),
	regexp.MustCompile(`\b(?:dial (?:tcp|udp)[46]?:?|connect(?:ing|ed)? to|host:?|name=|enotfound|eai_again|econnrefused|etimedout|ehostunreach|enetunreach) ?"?\[?([\w.:-]*?)\]?(?::(\d{1,5})|, ?(?:port:? ?)?(\d{1,5})|[\s,;"]|$)`),
}

// server fills host and port: as given, else as the words name them.
func (r *reader) server(h Hints) {
	host, port := h.Host, h.Port
	if inner, after, err := net.SplitHostPort(h.Host); err == nil && port == "" {
		host, port = inner, after
	}
	for _, form := range namedServer {
		m := form.FindStringSubmatch(r.folded)
		if m == nil {
			continue
		}
		if host == "" && strings.ContainsAny(m[1], ".:") {
			host = m[1]
		}
		if port == "" && len(m) > 2 {
			port = strings.Join(m[2:], "")
		}
		break
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		port = ""
	}
	switch {
	case port != "":
		r.e.Server = net.JoinHostPort(host, port)
	case host != "":
		r.e.Server = host
	}
}
