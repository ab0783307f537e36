package mail

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// oddMails are mails with something wrong, seeds of the fuzz targets too.
var oddMails = []string{
	"",
	"\n",
	"no header at all\nsecond line\n",
	"From a@example.com Tue Jan  6 10:00:00 2026\nFrom: a@example.com\nSubject: mbox\n\ntext\n",
	"From: a@example.com\nthis line has no colon\nSubject: later\n\ntext\n",
	"From: a@example.com\nSubject: no empty line\nThe text begins here,\nand goes on.\n",
	"Subject: a\n b\n\tc\n\ntext",
	"Content-Type: multipart/mixed; boundary=x\n\nno part at all\n",
	"Content-Type: multipart/mixed\n\n--abcdef123456\nContent-Type: text/plain\n\nfound\n--abcdef123456--\n",
	"Content-Type: multipart/mixed; boundary=wrong\n\n--right\nContent-Type: text/plain\n\nfound\n--right--\n",
	"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\nnever ended",
	"Content-Type: multipart/mixed; boundary=x\n\n--x\n\ndefault type\n--x--\n--x\nContent-Type: text/plain\n\nafter the end\n--x--\n",
	"Content-Type: text/plain\nContent-Transfer-Encoding: nonsense\n\ntext\n",
	"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nR3LDvMOf\nZQ==\n--\na footer of the list\n",
	"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n=3D=zz=\n soft=20\n=",
	"Content-Type: text/html\n\n<p>only <b>HTML</b></p>\n",
	"Content-Type: text/plain\n\n<html><body><p>HTML called plain</p></body></html>\n",
	"Content-Type: message/rfc822\n\nFrom: b@example.com\nSubject: inner\n\ninner text\n",
	"Content-Type: text/plain\n\nsee file\n\nbegin 644 a.txt\n#0V%T\n`\nend\nbye\n",
	"Content-Type: text/plain; format=flowed\n\nThis line \ngoes on.\n> quoted \n> too\n-- \nsig\n",
	"Content-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/plain\n\n  \n--x\nContent-Type: text/html\n\n<p>full</p>\n--x--\n",
	"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\nContent-Transfer-Encoding: base64\n\nMIIB\n",
	"Subject: =?utf-8?Q?a?=\r =?utf-8?B?!!!?=\nDate: 99999999\nFrom: ,;<>\"(\n\n\x00\xff\x1b$B",
	"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ninner not closed\n--a\n\nouter\n--a--\n",
}

func TestOddBodies(t *testing.T) {
	for _, c := range []struct{ name, in, text, problem string }{
		{"no header", "no header at all\nsecond line\n", "no header at all\nsecond line", ProblemNoHeader},
		{"missing empty line", oddMails[5], "The text begins here,\nand goes on.", ProblemNoEmptyLine},
		{"no part", oddMails[7], "no part at all", ProblemNoBoundary},
		{"undeclared boundary", oddMails[8], "found", ProblemNoBoundary},
		{"wrong boundary", oddMails[9], "found", ProblemNoBoundary},
		{"unfinished", oddMails[10], "never ended", ProblemOpenBoundary},
		{"parts after the end", oddMails[11], "default type\n\nafter the end", ""},
		{"unknown encoding", oddMails[12], "text", ProblemUnknownEncoding},
		{"base64 with footer", oddMails[13], "Grüße\n--\na footer of the list", ProblemBadBase64},
		{"base64 by name only", "Content-Transfer-Encoding: base64\n\nPlain words, after all.\nTwo lines.\n", "Plain words, after all.\nTwo lines.", ProblemBadBase64},
		{"end of boundary with a sign", "Content-Type: multipart/mixed; boundary=x\n\n--x\n\ntext\n--x-->\nepilogue", "text", ""},
		{"both forms in a mixed", "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nHello Bob, the printer burns.\n--x\nContent-Type: text/html\n\n<p>Hello Bob, the <a href=https://example.com/p>printer</a> burns.</p>\n--x--\n", "Hello Bob, the printer burns.", ""},
		{"a footer in HTML", "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nHello Bob, the printer burns.\n--x\nContent-Type: text/html\n\n<p>This mail is confidential.</p>\n--x--\n", "Hello Bob, the printer burns.\n\nThis mail is confidential.", ""},
		{"damaged quoted-printable", oddMails[14], "==zz soft", ProblemBadQuoted},
		{"html only", oddMails[15], "only HTML", ""},
		{"html called plain", oddMails[16], "HTML called plain", ""},
		{"mail as a mail", oddMails[17], "From: b@example.com\nSubject: inner\n\ninner text", ""},
		{"uuencode", oddMails[18], "see file\n\nbye", ""},
		{"flowed", oddMails[19], "This line goes on.\n> quoted too\n-- \nsig", ""},
		{"flowed, space deleted", "Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\n\n長い行が \n続きます。\n次の行\n", "長い行が続きます。\n次の行", ""},
		{"empty plain beside html", oddMails[20], "full", ""},
		{"encrypted", oddMails[21], "", ProblemEncrypted},
		{"inner not closed", oddMails[23], "inner not closed\n\nouter", ProblemOpenBoundary},
	} {
		m := parseString(t, c.in)
		if m.Text != c.text {
			t.Errorf("%s: text %q, want %q", c.name, m.Text, c.text)
		}
		if c.problem != "" && !slices.Contains(m.Problems, c.problem) {
			t.Errorf("%s: problems %v, want %s", c.name, m.Problems, c.problem)
		}
		checkMessage(t, m)
	}
}

func TestOddHeaders(t *testing.T) {
	for _, c := range []struct{ name, in, subject, from, problem string }{
		{"mbox line", oddMails[3], "mbox", "a@example.com", ""},
		{"line without colon", oddMails[4], "later", "a@example.com", ProblemNoColon},
		{"folded", oddMails[6], "a b c", "", ProblemNoFrom},
		{"folded wrongly", "From: a@example.com\nSubject: first half\nsecond half\nTo: b@example.com\n\ntext", "first half second half", "a@example.com", ProblemNoColon},
		{"lines of junk", "Received: from x\n\\tby y\n\\tid z\nFrom: a@example.com\nSubject: x\n\ntext", "x", "a@example.com", ProblemNoColon},
		{"space before colon", "From : a@example.com\nSubject : x\n\ntext", "x", "a@example.com", ""},
		{"several from", "From: one\nFrom: a@example.com\nSubject: x\n\ntext", "x", "a@example.com", ProblemManyFrom},
		{"sender only", "Sender: a@example.com\nSubject: x\n\ntext", "x", "a@example.com", ProblemNoFrom},
		{"8-bit in the body's charset", "From: a@example.com\nSubject: \xcf\xf0\xe8\xe2\xe5\xf2\nContent-Type: text/plain; charset=windows-1251\n\n\xe4\xe0", "Привет", "a@example.com", ""},
		{"empty lines before", "\n\nFrom: a@example.com\nSubject: x\n\ntext", "x", "a@example.com", ""},
		{"bad date", "From: a@example.com\nSubject: x\nDate: soon\n\ntext", "x", "a@example.com", ProblemBadDate},
	} {
		m := parseString(t, c.in)
		if m.Subject != c.subject || m.From.Address != c.from || m.Text == "" {
			t.Errorf("%s: %q %q %q", c.name, m.Subject, m.From, m.Text)
		}
		if c.problem != "" && !slices.Contains(m.Problems, c.problem) {
			t.Errorf("%s: problems %v, want %s", c.name, m.Problems, c.problem)
		}
	}
	m, err := Parse(strings.NewReader("From: a@example.com\rSubject: x\r\rold Macintosh\rtext\r"))
	if err != nil || m.Subject != "x" || m.Text != "old Macintosh\ntext" {
		t.Errorf("CR line ends: %+v", m)
	}
}

func TestRawFileNames(t *testing.T) {
	for in, want := range map[string]string{
		"attachment; filename=\"\x83\\\x83t\x83g.txt\"":   "ソフト.txt",
		"attachment; filename=\"\x1b$B%F%9%H\x1b(B.txt\"": "テスト.txt",
		"attachment; filename=テスト.txt":                    "テスト.txt",
		"attachment; filename=":                           "part-1.pdf",
		"attachment; filename=\"..\\..\\x.pdf\"":          "x.pdf",
	} {
		m := parseString(t, "From: a@example.com\nContent-Type: application/pdf\nContent-Disposition: "+in+"\n\nx")
		if len(m.Attachments) != 1 || m.Attachments[0].Name != want {
			t.Errorf("%q gives %+v, want %q", in, m.Attachments, want)
		}
	}
}

func TestUUencoded(t *testing.T) {
	m := parseString(t, oddMails[18])
	if len(m.Attachments) != 1 || m.Attachments[0].Name != "a.txt" || m.Attachments[0].Size != 3 {
		t.Fatalf("attachments %+v", m.Attachments)
	}
	var b bytes.Buffer
	if err := CopyPart(&b, strings.NewReader(oddMails[18]), m.Attachments[0].Part); err != nil || b.String() != "Cat" {
		t.Errorf("content %q, %v", b.String(), err)
	}
}

// tinyTNEF is a winmail.dat with a text and one file.
func tinyTNEF() string {
	b := binary.LittleEndian.AppendUint32(nil, tnefSignature)
	b = append(b, 1, 0)
	attribute := func(level byte, id uint32, data string) {
		b = append(b, level)
		b = binary.LittleEndian.AppendUint32(b, id)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
		b = append(b, data...)
		b = append(b, 0, 0)
	}
	attribute(1, 0x0002800c, "The text.\x00")
	attribute(2, 0x00069002, "rendering")
	attribute(2, 0x00018010, "SHORT~1.TXT\x00")
	attribute(2, 0x0006800f, "content")
	props := binary.LittleEndian.AppendUint32(nil, 1)
	props = binary.LittleEndian.AppendUint32(props, 0x3707001e)
	props = binary.LittleEndian.AppendUint32(props, 1)
	props = binary.LittleEndian.AppendUint32(props, 14)
	props = append(props, "long name.txt\x00\x00\x00"...)
	attribute(2, 0x00069005, string(props))
	return string(b)
}

func TestTNEF(t *testing.T) {
	raw := "From: a@example.com\nContent-Type: application/octet-stream; name=winmail.dat\nContent-Disposition: attachment; filename=winmail.dat\n\n" + tinyTNEF()
	m, err := Parse(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if m.Text != "The text." || len(m.Attachments) != 1 || m.Attachments[0].Name != "long name.txt" || m.Attachments[0].Type != "text/plain" || m.Attachments[0].Size != 7 {
		t.Fatalf("text %q, attachments %+v", m.Text, m.Attachments)
	}
	var b bytes.Buffer
	if err := CopyPart(&b, strings.NewReader(raw), m.Attachments[0].Part); err != nil || b.String() != "content" {
		t.Errorf("content %q, %v", b.String(), err)
	}
	m = parseString(t, "Content-Type: application/ms-tnef; name=winmail.dat\n\nbroken")
	if len(m.Attachments) != 1 || m.Attachments[0].Name != "winmail.dat" || !slices.Contains(m.Problems, ProblemUnreadableTNEF) {
		t.Errorf("a broken one: %+v %v", m.Attachments, m.Problems)
	}
}

func TestRTF(t *testing.T) {
	if got := rtfText([]byte(`{\rtf1\ansi{\fonttbl{\f0 Arial;}}Hello\par \u233?t\'e9 {\*\generator x}\{ok\}}`)); got != "Hello\nété {ok}" {
		t.Errorf("got %q", got)
	}
}

func TestSignedContent(t *testing.T) {
	inner := "Content-Type: text/plain\r\n\r\nsigned text"
	octets := append([]byte{0x04, byte(len(inner))}, inner...)
	explicit := append([]byte{0xa0, byte(len(octets))}, octets...)
	raw := "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\n\n" + "0\x80junk" + string(idData) + string(explicit)
	m, err := Parse(strings.NewReader(raw))
	if err != nil || m.Text != "signed text" {
		t.Errorf("text %q, %v", m.Text, err)
	}
}

// What is attached inside a signed mail is an attachment that can be copied.
func TestSignedAttachment(t *testing.T) {
	inner := "Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nsigned text\r\n--i\r\nContent-Type: text/csv; name=a.csv\r\n\r\n1,2\r\n--i--\r\n"
	octets := append([]byte{0x04, 0x81, byte(len(inner))}, inner...)
	explicit := append([]byte{0xa0, 0x81, byte(len(octets))}, octets...)
	raw := "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\n\n" + string(idData) + string(explicit)
	m, err := Parse(strings.NewReader(raw))
	if err != nil || m.Text != "signed text" || len(m.Attachments) != 2 {
		t.Fatalf("text %q, attachments %+v, %v", m.Text, m.Attachments, err)
	}
	var names []string
	for _, a := range m.Attachments {
		names = append(names, a.Name)
		var b bytes.Buffer
		if err := CopyPart(&b, strings.NewReader(raw), a.Part); err != nil || int64(b.Len()) != a.Size || a.Name == "a.csv" && b.String() != "1,2" {
			t.Errorf("%s: %q, %v", a.Name, b.String(), err)
		}
	}
	if !slices.Contains(names, "a.csv") || !slices.Contains(names, "smime.p7m") {
		t.Errorf("names %q", names)
	}
}

func TestInlinePGP(t *testing.T) {
	m := parseString(t, "From: a@example.com\n\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello\n- --dashes\n-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n")
	if m.Text != "Hello\n--dashes" {
		t.Errorf("text %q", m.Text)
	}
}

func TestInvitation(t *testing.T) {
	const ics = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nSUMMARY:Team\\, all\nDTSTART;TZID=Asia/Tokyo:20260106T100000\nDTEND;TZID=Asia/Tokyo:20260106T110000\nLOCATION:Room 1\nEND:VEVENT\nEND:VCALENDAR\n"
	m := parseString(t, "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/calendar; method=REQUEST\n\n"+ics+"--x--\n")
	if m.Text != "[Invitation: Team, all, 2026-01-06 10:00 Asia/Tokyo – 2026-01-06 11:00 Asia/Tokyo, Room 1]" || len(m.Attachments) != 1 || !strings.HasSuffix(m.Attachments[0].Name, ".ics") {
		t.Errorf("%q %+v", m.Text, m.Attachments)
	}
}

func TestForwarded(t *testing.T) {
	for _, c := range []struct{ name, subject, text string }{
		{"gmail", "Fwd: Printer", "see below\n\n---------- Forwarded message ---------\nFrom: Anna Berg <anna@example.com>\nDate: Tue, Jan 6, 2026 at 10:00 AM\nSubject: Printer\nTo: <x@example.org>\n\nIt burns."},
		{"outlook", "FW: Printer", "see below\n\nFrom: Anna Berg <anna@example.com>\nSent: Tuesday, January 6, 2026 10:00 AM\nTo: x\nSubject: Printer\n\nIt burns."},
		{"apple de", "Fwd: Drucker", "Anfang der weitergeleiteten Nachricht:\n\n> Von: Anna Berg <anna@example.com>\n> Betreff: Printer\n> Datum: 6. Januar 2026 um 10:00:00\n> An: x\n> \n> It burns."},
		{"ja", "転送: x", "---------- 転送メッセージ ----------\n差出人: Anna Berg <anna@example.com>\n日時: 2026年1月6日 10:00\n件名: Printer\n宛先: x\n\n本文"},
		{"outlook mailto", "WG: Printer", "-----Ursprüngliche Nachricht-----\nVon: Anna Berg [mailto:anna@example.com]\nGesendet: Dienstag, 6. Januar 2026 10:00\nAn: x\nBetreff: Printer\n\nIt burns."},
	} {
		m := parseString(t, "From: x@example.org\nContent-Type: text/plain; charset=utf-8\nSubject: "+c.subject+"\n\n"+c.text)
		f := m.Forwarded
		if f == nil || f.From != (Address{"Anna Berg", "anna@example.com"}) || f.Subject != "Printer" || f.Date.Format("2006-01-02 15:04") != "2026-01-06 10:00" {
			t.Errorf("%s: %+v", c.name, f)
		} else if want := c.text[strings.LastIndex(c.text, "\n")+1:]; f.Text != strings.TrimPrefix(want, "> ") {
			t.Errorf("%s: passes on %q, want %q", c.name, f.Text, want)
		}
	}
	bare := parseString(t, "From: x@example.org\nSubject: Fwd: Printer\n\n---------- Forwarded message ---------\nFrom: Anna <anna@example.com>\nDate: Tue, Jan 6, 2026 at 10:00 AM\nSubject: Printer\n\nIt burns.")
	if bare.Reply != bare.Text {
		t.Errorf("passed on without a word: reply %q", bare.Reply)
	}
	m := parseString(t, "From: x@example.org\nSubject: Fwd: x\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nsee\n--x\nContent-Type: message/rfc822\n\nFrom: Anna Berg <anna@example.com>\nSubject: Printer\nDate: Tue, 6 Jan 2026 10:00:00 +0000\n\ntext\n--x--\n")
	if m.Forwarded == nil || m.Forwarded.From.Address != "anna@example.com" || m.Forwarded.Subject != "Printer" || m.Forwarded.Date.IsZero() {
		t.Errorf("attached: %+v", m.Forwarded)
	}
	m = parseString(t, "From: x@example.org\nSubject: Re: Printer\n\nyes\n\nFrom: Anna <a@example.com>\nSent: today 10:00\nTo: x\nSubject: Printer\n\nquoted")
	if m.Forwarded != nil {
		t.Errorf("an answer: %+v", m.Forwarded)
	}
}
