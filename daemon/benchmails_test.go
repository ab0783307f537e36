//go:build bench

package daemon_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
)

// mailMaker makes mails of 2 to 10 kB as an office gets them: trace headers,
// five ways to encode, two thirds Japanese, 1,500 senders, some with an HTML
// part or a small attachment. The same seed makes the same mails.
type mailMaker struct {
	random *rand.Rand
	made   int
}

func newMailMaker(seed uint64) *mailMaker { return &mailMaker{random: rand.New(rand.NewPCG(seed, 0))} }

// writing is a language in one charset and transfer encoding.
type writing struct {
	charset  string
	encoding encoding.Encoding
	transfer string
	subject  string
	lines    []string
}

func (m *mailMaker) writings() []writing {
	ja := []string{
		"お世話になっております。山田商事の佐藤です。", "先日お送りいただいた請求書について確認させてください。", "プリンターが動かなくなりました。電源は入っています。",
		"お忙しいところ恐れ入りますが、ご返信をお願いいたします。", "納期は来週の金曜日までで問題ありません。", "ログインしようとすると「エラー」と表示されます。", "よろしくお願いいたします。",
	}
	de := []string{
		"Guten Tag, leider lässt sich die Tür zum Lager nicht mehr öffnen.", "Könnten Sie bitte prüfen, ob die Rechnung für März schon bezahlt ist?",
		"Über eine schnelle Antwort würden wir uns freuen.", "Mit freundlichen Grüßen, Jürgen Weiß",
	}
	en := []string{
		"The printer on the second floor shows error 49 since this morning.", "We restarted it twice, and the message came back each time.",
		"Is there anything else we should try before somebody comes?", "Order no. 4711, customer since 2019, see the pages attached.", "Thank you and best regards",
	}
	return []writing{
		{"ISO-2022-JP", japanese.ISO2022JP, "7bit", "ご注文の件について", ja},
		{"UTF-8", unicode.UTF8, "base64", "プリンターの不具合", ja},
		{"Shift_JIS", japanese.ShiftJIS, "base64", "請求書の確認", ja},
		{"UTF-8", unicode.UTF8, "8bit", "ログインできません", ja},
		{"ISO-8859-1", charmap.ISO8859_1, "quoted-printable", "Tür im Lager", de},
		{"us-ascii", unicode.UTF8, "7bit", "Printer error 49", en},
	}
}

func (m *mailMaker) next() []byte {
	m.made++
	all := m.writings()
	w := all[m.made%len(all)]
	size := 2300 + m.random.IntN(7400)
	who := m.random.IntN(1500)

	var b bytes.Buffer
	fmt.Fprintf(&b, "Return-Path: <k%d@customer.test>\r\n", who)
	for hop := range 1 + m.random.IntN(3) {
		fmt.Fprintf(&b, "Received: from mail%d.customer.test (mail%d.customer.test [192.0.2.%d])\r\n\tby mx.mail.test with ESMTPS id %016x;\r\n\tSat, 21 Nov 2026 12:00:%02d +0900\r\n",
			hop, hop, m.random.IntN(250), m.random.Uint64(), m.random.IntN(60))
	}
	fmt.Fprintf(&b, "From: %s <k%d@customer.test>\r\nTo: Support <support@mail.test>\r\nSubject: %s\r\nMessage-ID: <%d.%016x@customer.test>\r\n",
		mime.BEncoding.Encode("UTF-8", fmt.Sprintf("お客様 %d", who)), who, m.subject(w), m.made, m.random.Uint64())
	fmt.Fprintf(&b, "Date: Sat, 21 Nov 2026 12:%02d:%02d +0900\r\nUser-Agent: Example Mail 4.2\r\nMIME-Version: 1.0\r\n", m.made/60%60, m.made%60)

	text := m.text(w, size*2/3)
	switch m.made % 4 {
	case 0:
		b.WriteString("Content-Type: multipart/alternative; boundary=\"=_alt\"\r\n\r\n--=_alt\r\n")
		m.part(&b, w, "text/plain", text[:len(text)/3])
		b.WriteString("--=_alt\r\n")
		m.part(&b, w, "text/html", append(append([]string{"<html><body><p>"}, text[len(text)/3:]...), "</p></body></html>"))
		b.WriteString("--=_alt--\r\n")
	case 1:
		b.WriteString("Content-Type: multipart/mixed; boundary=\"=_mix\"\r\n\r\n--=_mix\r\n")
		m.part(&b, w, "text/plain", text[:len(text)/2])
		b.WriteString("--=_mix\r\nContent-Type: application/pdf; name=\"page.pdf\"\r\nContent-Disposition: attachment; filename=\"page.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n")
		content := make([]byte, size/3)
		for i := range content {
			content[i] = byte(m.random.Uint32())
		}
		writeBase64(&b, content)
		b.WriteString("--=_mix--\r\n")
	default:
		m.part(&b, w, "text/plain", text)
	}
	return b.Bytes()
}

func (m *mailMaker) subject(w writing) string {
	words := fmt.Sprintf("%s %d", w.subject, m.made)
	encoded, err := w.encoding.NewEncoder().String(words)
	if err != nil {
		panic(err) // the table above is wrong
	}
	return mime.BEncoding.Encode(w.charset, encoded)
}

// text is lines of at least size bytes in all, in UTF-8.
func (m *mailMaker) text(w writing, size int) []string {
	var lines []string
	for n := 0; n < size; {
		line := fmt.Sprintf("%s (%d)", w.lines[m.random.IntN(len(w.lines))], m.random.IntN(10000))
		lines = append(lines, line)
		n += len(line)
	}
	return lines
}

func (m *mailMaker) part(b *bytes.Buffer, w writing, mediaType string, lines []string) {
	fmt.Fprintf(b, "Content-Type: %s; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n", mediaType, w.charset, w.transfer)
	content, err := w.encoding.NewEncoder().Bytes([]byte(strings.Join(lines, "\r\n") + "\r\n"))
	if err != nil {
		panic(err) // the table above is wrong
	}
	switch w.transfer {
	case "base64":
		writeBase64(b, content)
	case "quoted-printable":
		q := quotedprintable.NewWriter(b)
		if _, err := q.Write(content); err != nil {
			panic(err) // into memory: never
		}
		if err := q.Close(); err != nil {
			panic(err)
		}
	default:
		b.Write(content)
	}
}

func writeBase64(b *bytes.Buffer, content []byte) {
	encoded := base64.StdEncoding.EncodeToString(content)
	for len(encoded) > 0 {
		n := min(76, len(encoded))
		b.WriteString(encoded[:n] + "\r\n")
		encoded = encoded[n:]
	}
}
