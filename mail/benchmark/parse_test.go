// Package benchmark times mail.Parse beside enmime on the same mails. It is a
// module of its own, so that the program does not depend on enmime.
//
//	make bench-parse                  on mails made here
//	MAILS=FOLDER make bench-parse     on the .eml files below FOLDER
package benchmark

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jhillyerd/enmime/v2"

	"helpdesk/mail"
)

// BenchmarkParse reads every mail once an iteration, with each reader.
func BenchmarkParse(b *testing.B) {
	mails := read(b)
	var size int64
	for _, m := range mails {
		size += int64(len(m))
	}
	for _, reader := range []struct {
		name string
		read func([]byte) error
	}{
		{"helpdesk", func(m []byte) error { _, err := mail.Parse(bytes.NewReader(m)); return err }},
		{"enmime", func(m []byte) error { _, err := enmime.ReadEnvelope(bytes.NewReader(m)); return err }},
	} {
		b.Run(reader.name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			failed := 0
			for b.Loop() {
				failed = 0
				for _, m := range mails {
					if reader.read(m) != nil {
						failed++
					}
				}
			}
			b.ReportMetric(float64(failed), "unread")
		})
	}
}

func read(b *testing.B) [][]byte {
	b.Helper()
	folder := os.Getenv("MAILS")
	if folder == "" {
		return made()
	}
	var mails [][]byte
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".eml" {
			return err
		}
		raw, err := os.ReadFile(path)
		mails = append(mails, raw)
		return err
	})
	if err != nil || len(mails) == 0 {
		b.Fatalf("%d mails below %s, %v", len(mails), folder, err)
	}
	return mails
}

// made are mails as an office gets them: plain, HTML with plain, with a file.
func made() [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	file := make([]byte, 20<<10)
	for i := range file {
		file[i] = byte(random.Uint32())
	}
	var mails [][]byte
	for i := range 60 {
		text := strings.Repeat("Der Drucker im zweiten Stock druckt nicht mehr. Can you have a look? よろしくお願いいたします。\n", 5+random.IntN(40))
		head := fmt.Sprintf("Received: from a.test by b.test; Sat, 21 Nov 2026 12:00:00 +0900\nFrom: =?UTF-8?Q?J=C3=B6rg_%d?= <k%d@customer.test>\nTo: support@example.com\nSubject: =?UTF-8?B?%s?=\nMessage-ID: <%d@customer.test>\nDate: Sat, 21 Nov 2026 12:00:00 +0900\nMIME-Version: 1.0\n", i, i, base64.StdEncoding.EncodeToString([]byte("ご注文の件")), i)
		html := "<html><body><p>" + strings.ReplaceAll(text, "\n", "<br>\n") + "</p><blockquote><p>quoted</p></blockquote></body></html>"
		plain := "Content-Type: text/plain; charset=utf-8\n\n" + text
		both := "Content-Type: multipart/alternative; boundary=alt\n\n--alt\n" + plain + "\n--alt\nContent-Type: text/html; charset=utf-8\n\n" + html + "\n--alt--\n"
		mixed := "Content-Type: multipart/mixed; boundary=mix\n\n--mix\n" + both + "\n--mix\nContent-Type: application/pdf; name=a.pdf\nContent-Disposition: attachment; filename=a.pdf\nContent-Transfer-Encoding: base64\n\n" + lines(base64.StdEncoding.EncodeToString(file)) + "--mix--\n"
		mails = append(mails, []byte(strings.ReplaceAll(head+[]string{plain, both, mixed}[i%3], "\n", "\r\n")))
	}
	return mails
}

func lines(s string) string {
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\n")
		s = s[76:]
	}
	return b.String() + s + "\n"
}
