package mail

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// repeated is a reader that gives the same piece n times.
type repeated struct {
	piece string
	n     int
	rest  string
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.n == 0 {
			return 0, io.EOF
		}
		r.n--
		r.rest = r.piece
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// bigMail is a mail with an attachment of about megabytes MB, decoded.
func bigMail(megabytes int, encoding, line string) io.Reader {
	head := "From: a@example.com\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x\r\nContent-Type: application/octet-stream; name=big.bin\r\nContent-Transfer-Encoding: " + encoding + "\r\n\r\n"
	return io.MultiReader(strings.NewReader(head), &repeated{piece: strings.Repeat(line, 1000), n: megabytes}, strings.NewReader("\r\n--x--\r\n"))
}

// A large attachment is streamed: all memory ever allocated while it is read,
// not only what is held at once, stays far below its size.
func TestBigAttachment(t *testing.T) {
	line := strings.Repeat("QUJD", 19) + "\r\n"
	for _, c := range []struct{ encoding, line string }{
		{"base64", line + line + line + line + line + line + line + line + line + line + line + line + line + line + line + line + line + line},
		{"binary", strings.Repeat("x", 1024)},
		{"8bit", strings.Repeat("y", 1022) + "\r\n"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Parse(bigMail(100, c.encoding, c.line))
		runtime.ReadMemStats(&after)
		if err != nil || m.Text != "text" || len(m.Attachments) != 1 || m.Attachments[0].Size < 100_000_000 {
			t.Fatalf("%s: %+v, %v", c.encoding, m, err)
		}
		used := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d kB allocated", c.encoding, used>>10)
		if used > 2<<20 {
			t.Errorf("%s: %d bytes allocated for one attachment", c.encoding, used)
		}
	}
}

func TestLimits(t *testing.T) {
	manyParts := "Content-Type: multipart/mixed; boundary=x\n\n" + strings.Repeat("--x\n\ntext\n", maxParts+10) + "--x--\n"
	var deep strings.Builder
	for i := range maxDepth + 10 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	deep.WriteString("\ninnermost\n")
	for _, c := range []struct{ name, in, problem string }{
		{"header", "From: a@example.com\nX-Long: " + strings.Repeat("x\n ", maxHeader/3+10) + "\n\ntext", ProblemHeaderTooLong},
		{"text", "From: a@example.com\n\n" + strings.Repeat("long text ", maxText/10+10), ProblemTextTooLong},
		{"parts", manyParts, ProblemTooManyParts},
		{"depth", deep.String(), ProblemTooDeep},
		{"addresses", "From: a@example.com\nTo: " + strings.Repeat("a@example.com,", maxAddresses+10) + "\n\ntext", ProblemTooManyAddresses},
	} {
		m, err := Parse(strings.NewReader(c.in))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(m.Problems, c.problem) {
			t.Errorf("%s: problems %v", c.name, m.Problems)
		}
		if m.Text == "" && c.name != "depth" || len(m.Text) > maxText || len(m.To) > maxAddresses {
			t.Errorf("%s: %d bytes of text, %d addresses", c.name, len(m.Text), len(m.To))
		}
	}
}

// sixKilobytes is a usual mail: trace fields, plain text and HTML, a quote.
func sixKilobytes() string {
	text := strings.Repeat("The printer on the second floor does not print any more since Monday.\r\n", 12)
	return strings.Repeat("Received: from a.example.com (a.example.com [192.0.2.1]) by mx.example.org with ESMTPS\r\n\tid 1234 for <support@example.org>; Tue, 6 Jan 2026 10:00:00 +0000\r\n", 4) +
		"From: =?utf-8?Q?J=C3=BCrgen?= <j@example.com>\r\nTo: support@example.org\r\nSubject: =?utf-8?Q?Drucker_gr=C3=BC=C3=9Ft?=\r\nDate: Tue, 6 Jan 2026 10:00:00 +0000\r\nMessage-ID: <1@example.com>\r\nIn-Reply-To: <0@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"xx\"\r\n\r\n" +
		"--xx\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n" + text +
		"\r\nOn Mon, 5 Jan 2026 at 10:00, Support <support@example.org> wrote:\r\n> What is it?\r\n> Please tell us.\r\n" +
		"--xx\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><div>Gr=C3=BC=C3=9Fe</div><div>" + strings.ReplaceAll(text, "\r\n", "<br>\r\n") + "</div><blockquote>What is it?</blockquote></body></html>\r\n--xx--\r\n" +
		strings.Repeat(" ", 1200)
}

func BenchmarkParse(b *testing.B) {
	raw := sixKilobytes()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(strings.NewReader(raw)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAttachment(b *testing.B) {
	line := strings.Repeat("QUJD", 19) + "\r\n"
	b.SetBytes(int64(len(line)) * 10_000)
	for b.Loop() {
		if _, err := Parse(bigMail(10, "base64", line)); err != nil {
			b.Fatal(err)
		}
	}
}
