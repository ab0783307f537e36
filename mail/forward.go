package mail

import (
	"strings"
	"time"
)

// forwarded finds the mail that this one passes on: attached, or below a mark
// or header block in the text. A quoted mail that is answered is none.
func forwarded(m *Message, r *replyReader, reports []*node) *Forwarded {
	subject := strings.ToLower(strings.TrimLeft(m.Subject, " [("))
	called := false
	for _, p := range forwardPrefixes {
		called = called || strings.HasPrefix(subject, strings.TrimLeft(p, "["))
	}
	if r != nil {
		if f := r.forwarded(called); f != nil {
			return f
		}
	}
	for _, r := range reports {
		if r.kind != kindMail {
			continue
		}
		h := blockHeader(r.data)
		inner := walker{fallback: charsetOf(h)}
		f := &Forwarded{From: inner.from(h), Subject: inner.subject(h)}
		f.Date, _ = parseDate(h.get("Date"))
		if f.From != (Address{}) || f.Subject != "" {
			return f
		}
	}
	return nil
}

// forwarded looks for a mark of forwarding, with quote marks or without; called
// says that the subject calls the mail a forward, and then any header block
// will do.
func (r *replyReader) forwarded(called bool) *Forwarded {
	for i, l := range r.lines {
		kind := markNone
		if strings.IndexByte(l, '>') >= 0 {
			l = strings.TrimLeft(l, "> \t")
		}
		if len(l) >= 6 && len(l) < 200 {
			kind = markLine(l)
		}
		switch {
		case kind == markForward || kind == markOriginal && called:
			if f := r.forwardAt(i + 1); f != nil {
				return f
			}
		case called && l != "" && strings.ContainsAny(l, ":：") && len(l) < 400:
			if role, _ := blockLine(l); role == roleNone {
				continue
			}
			b := r.unquotedBlock(i)
			if b.holds(r.ruled(i)) {
				return r.passedOn(i, &b)
			}
		}
	}
	return nil
}

// forwardAt reads the header block behind a mark.
func (r *replyReader) forwardAt(i int) *Forwarded {
	i = r.next(i)
	if i >= len(r.lines) {
		return nil
	}
	b := r.unquotedBlock(i)
	if b.roles() < 2 {
		return nil
	}
	return r.passedOn(i, &b)
}

// passedOn is the mail whose header block stands at line i.
func (r *replyReader) passedOn(i int, b *headerBlock) *Forwarded {
	f := b.asForwarded()
	var text strings.Builder
	for j := i + b.end; j < len(r.lines); j++ {
		line := r.lines[j]
		if r.quoted[i] { // the whole of it stands behind quote marks, which its writer did not make
			line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimLeft(line, " \t"), ">"), " ")
		}
		text.WriteString(line + "\n")
	}
	f.Text = strings.Trim(text.String(), "\n")
	return f
}

// unquotedBlock reads a header block that may stand behind quote marks.
func (r *replyReader) unquotedBlock(i int) headerBlock {
	n := min(len(r.lines)-i, 24)
	plain := make([]string, n)
	for j := range n {
		plain[j] = strings.TrimLeft(r.lines[i+j], "> \t")
	}
	sub := replyReader{lines: plain, quoted: make([]bool, n)}
	return sub.headerBlock(0)
}

func (b *headerBlock) asForwarded() *Forwarded {
	f := &Forwarded{From: blockAddress(b.value[roleFrom]), Subject: strings.TrimSpace(b.value[roleSubject])}
	f.Date = blockDate(b.value[roleDate])
	return f
}

// blockAddress reads the sender in a header block: "Anna <a@x>",
// "Anna [mailto:a@x]", "Anna<mailto:a@x>", "a@x <a@x>".
func blockAddress(s string) Address {
	s = strings.NewReplacer("[mailto:", "<", "<mailto:", "<", "]", ">", "＜", "<", "＞", ">", "*", "").Replace(s)
	if i := strings.IndexByte(s, '<'); i >= 0 {
		if j := strings.IndexByte(s[i+1:], '<'); j >= 0 { // <a@x<a@x>>
			s = s[:i+1+j]
			s = strings.TrimRight(s, "<> ")
			if strings.Contains(s, "<") {
				s += ">"
			}
		}
	}
	s = strings.TrimSpace(s)
	list, _ := parseAddresses(s, "")
	for _, a := range list {
		if a.Address != "" && strings.Contains(a.Address, "@") {
			return a
		}
	}
	if len(list) > 0 {
		if list[0].Name == "" {
			return Address{Name: list[0].Address}
		}
		return list[0]
	}
	return Address{}
}

// blockDate reads a date in any of the languages; zero when it cannot.
func blockDate(s string) time.Time {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}
	}
	t, _ := parseDate(localDate(s))
	return t
}

// localMonths are beginnings of month names that English does not have, longest
// first where one begins another.
var localMonths = []struct {
	name  string
	month string
}{
	{"januar", "jan"}, {"janvier", "jan"}, {"janv", "jan"}, {"enero", "jan"}, {"ene.", "jan"}, {"ene", "jan"}, {"gennaio", "jan"}, {"genn", "jan"}, {"gen", "jan"}, {"janeiro", "jan"}, {"tammikuu", "jan"}, {"stycz", "jan"}, {"sty", "jan"}, {"ledna", "jan"}, {"leden", "jan"}, {"янв", "jan"}, {"січ", "jan"}, {"ocak", "jan"}, {"oca", "jan"}, {"jänner", "jan"},
	{"février", "feb"}, {"févr", "feb"}, {"fév", "feb"}, {"febbraio", "feb"}, {"febrero", "feb"}, {"fevereiro", "feb"}, {"fev", "feb"}, {"helmikuu", "feb"}, {"lut", "feb"}, {"února", "feb"}, {"únor", "feb"}, {"фев", "feb"}, {"лют", "feb"}, {"şubat", "feb"}, {"şub", "feb"},
	{"märz", "mar"}, {"mär", "mar"}, {"mrz", "mar"}, {"mars", "mar"}, {"maart", "mar"}, {"mrt", "mar"}, {"marzo", "mar"}, {"março", "mar"}, {"maaliskuu", "mar"}, {"marca", "mar"}, {"března", "mar"}, {"březen", "mar"}, {"мар", "mar"}, {"берез", "mar"}, {"бер", "mar"}, {"mart", "mar"},
	{"avril", "apr"}, {"avr", "apr"}, {"abril", "apr"}, {"abr", "apr"}, {"aprile", "apr"}, {"huhtikuu", "apr"}, {"kwie", "apr"}, {"kwi", "apr"}, {"dubna", "apr"}, {"duben", "apr"}, {"апр", "apr"}, {"квіт", "apr"}, {"кві", "apr"}, {"nisan", "apr"}, {"nis", "apr"},
	{"maggio", "may"}, {"mag", "may"}, {"mayo", "may"}, {"maio", "may"}, {"mai", "may"}, {"mei", "may"}, {"maj", "may"}, {"toukokuu", "may"}, {"května", "may"}, {"květen", "may"}, {"мая", "may"}, {"май", "may"}, {"трав", "may"}, {"mayıs", "may"},
	{"juin", "jun"}, {"junio", "jun"}, {"junho", "jun"}, {"giugno", "jun"}, {"giu", "jun"}, {"kesäkuu", "jun"}, {"czerw", "jun"}, {"cze", "jun"}, {"června", "jun"}, {"červen", "jun"}, {"июн", "jun"}, {"черв", "jun"}, {"чер", "jun"}, {"haziran", "jun"}, {"haz", "jun"},
	{"juillet", "jul"}, {"juil", "jul"}, {"julio", "jul"}, {"julho", "jul"}, {"luglio", "jul"}, {"lug", "jul"}, {"heinäkuu", "jul"}, {"lipca", "jul"}, {"lip", "jul"}, {"července", "jul"}, {"июл", "jul"}, {"лип", "jul"}, {"temmuz", "jul"}, {"tem", "jul"},
	{"août", "aug"}, {"aout", "aug"}, {"agosto", "aug"}, {"ago", "aug"}, {"elokuu", "aug"}, {"sierp", "aug"}, {"sie", "aug"}, {"srpna", "aug"}, {"srpen", "aug"}, {"авг", "aug"}, {"серп", "aug"}, {"ağustos", "aug"}, {"ağu", "aug"},
	{"settembre", "sep"}, {"sett", "sep"}, {"set", "sep"}, {"setembro", "sep"}, {"septiembre", "sep"}, {"syyskuu", "sep"}, {"wrze", "sep"}, {"wrz", "sep"}, {"září", "sep"}, {"сен", "sep"}, {"верес", "sep"}, {"вер", "sep"}, {"eylül", "sep"}, {"eyl", "sep"},
	{"ottobre", "oct"}, {"ott", "oct"}, {"octubre", "oct"}, {"outubro", "oct"}, {"out", "oct"}, {"oktober", "oct"}, {"okt", "oct"}, {"lokakuu", "oct"}, {"paźdz", "oct"}, {"paź", "oct"}, {"října", "oct"}, {"říjen", "oct"}, {"окт", "oct"}, {"жовт", "oct"}, {"жов", "oct"}, {"ekim", "oct"}, {"eki", "oct"},
	{"marraskuu", "nov"}, {"listopad", "nov"}, {"lis", "nov"}, {"ноя", "nov"}, {"лист", "nov"}, {"kasım", "nov"}, {"kas", "nov"},
	{"dezember", "dec"}, {"dez", "dec"}, {"décembre", "dec"}, {"déc", "dec"}, {"diciembre", "dec"}, {"dic", "dec"}, {"dicembre", "dec"}, {"dezembro", "dec"}, {"desember", "dec"}, {"des", "dec"}, {"joulukuu", "dec"}, {"grud", "dec"}, {"gru", "dec"}, {"prosince", "dec"}, {"prosinec", "dec"}, {"дек", "dec"}, {"груд", "dec"}, {"гру", "dec"}, {"aralık", "dec"}, {"ara", "dec"},
}

// localDate puts the English name in the place of a local month, and signs in
// the place of those that East Asian dates are written with.
func localDate(s string) string {
	s = strings.ToLower(s)
	if strings.ContainsAny(s, "年년") {
		pm := strings.Contains(s, "午後") || strings.Contains(s, "下午") || strings.Contains(s, "오후")
		s = strings.NewReplacer("年", "-", "月", "-", "日", " ", "時", ":", "分", " ", "点", ":", "년 ", "-", "월 ", "-", "일", " ", "년", "-", "월", "-", "午前", " am ", "上午", " am ", "오전", " am ").Replace(s)
		if pm {
			s += " pm"
		}
		return s
	}
	day := max(strings.IndexAny(s, "0123456789"), 0)
	if month := localMonth(s[day:]); month != "" {
		return month // behind the day, and "mar" before it is Tuesday in Spain
	}
	if month := localMonth(s[:day]); month != "" {
		return month + s[day:]
	}
	return s
}

// localMonth returns s with the first local month name replaced by the English
// one, "" when there is none.
func localMonth(s string) string {
	for _, w := range strings.FieldsFunc(s, func(r rune) bool {
		return r == ' ' || r == ',' || r == '.' || r == '-' || r == '/' || r == '\u00a0' || isDigitRune(r)
	}) {
		for _, m := range localMonths {
			if strings.HasPrefix(w, m.name) && len([]rune(w)) < 14 && !isEnglishMonth(w) {
				return strings.Replace(s, w, m.month, 1)
			}
		}
	}
	return ""
}

func isEnglishMonth(w string) bool {
	for _, name := range englishMonths {
		if strings.HasPrefix(name, w) {
			return true
		}
	}
	return false
}

func isDigitRune(r rune) bool { return r >= '0' && r <= '9' }
