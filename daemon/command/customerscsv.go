package command

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	uni "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"

	"helpdesk/mail"
	"helpdesk/ui"
)

const (
	// largestList bounds a list of customers, in bytes.
	largestList = 64 << 20
	// peoplePerAct bounds one act: it travels to the running daemon as a whole.
	peoplePerAct = 5000
)

// listed is a row of a list of customers.
type listed ui.Customer

func (p listed) address() mail.Address { return mail.Address{Name: p.Name, Address: p.Address} }

// listFault is a line of a list that cannot be used; its words are
// "customers.fault." and the slug.
type listFault struct {
	line  int
	slug  string
	value string
}

// importPeople has customers added, as many at a time as one act may have.
func (e *env) importPeople(ctx context.Context, people []listed, desk string) error {
	var acts []ui.Act
	for some := range slices.Chunk(people, peoplePerAct) {
		act := ui.Act{Name: ui.ActImportCustomers, Desk: desk}
		for _, p := range some {
			act.People = append(act.People, ui.Customer(p))
		}
		acts = append(acts, act)
	}
	if len(acts) == 0 {
		return nil
	}
	return e.act(ctx, acts...)
}

// readCustomersFile reads a list of customers; - is standard input.
func readCustomersFile(path string, stdin io.Reader, japaneseOffice bool) ([]listed, []listFault, error) {
	r := stdin
	if path != "-" {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil, &failure{exitFailed, &misuse{"no-file", []string{"file", path}}}
		} else if err != nil {
			return nil, nil, fmt.Errorf("opening the list: %w", err)
		}
		defer f.Close()
		r = f
	}
	raw, err := io.ReadAll(io.LimitReader(r, largestList+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("reading the list: %w", err)
	case len(raw) > largestList:
		return nil, nil, &failure{exitFailed, &misuse{"large-list", []string{"file", path}}}
	case bytes.HasPrefix(raw, []byte("PK\x03\x04")) || bytes.HasPrefix(raw, []byte("\xd0\xcf\x11\xe0")):
		return nil, nil, &failure{exitFailed, &misuse{"spreadsheet", []string{"file", path}}}
	}
	text, err := decodeList(raw, japaneseOffice)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the list: %w", err)
	}
	people, faults := parseCustomers(text)
	return people, faults, nil
}

// decodeList turns what spreadsheets save into text: UTF-8 with or without byte
// order mark, UTF-16 ("Unicode text"), Shift_JIS as Excel writes it in Japan
// (code page 932), else Windows-1252 as it does in Europe.
func decodeList(raw []byte, japaneseOffice bool) (string, error) {
	switch {
	case bytes.HasPrefix(raw, []byte("\xff\xfe")), bytes.HasPrefix(raw, []byte("\xfe\xff")):
		return decoded(uni.UTF16(uni.LittleEndian, uni.UseBOM), raw)
	case utf8.Valid(raw):
		return strings.TrimPrefix(string(raw), "\ufeff"), nil
	}
	if text, err := decoded(japanese.ShiftJIS, raw); err == nil && !strings.ContainsRune(text, utf8.RuneError) && (japaneseOffice || looksJapanese(text)) {
		return text, nil
	}
	return decoded(charmap.Windows1252, raw)
}

func decoded(e encoding.Encoding, raw []byte) (string, error) {
	text, err := e.NewDecoder().Bytes(raw)
	return strings.TrimPrefix(string(text), "\ufeff"), err
}

// looksJapanese reports whether text has what European text that is read as
// Shift_JIS by mistake does not have: kana, or two Chinese characters in a row.
func looksJapanese(text string) bool {
	var last rune
	for _, r := range text {
		full := width.LookupRune(r).Kind() != width.EastAsianHalfwidth
		if full && unicode.In(r, unicode.Hiragana, unicode.Katakana) || unicode.Is(unicode.Han, r) && unicode.Is(unicode.Han, last) {
			return true
		}
		last = r
	}
	return false
}

// parseCustomers reads the rows of a list.
func parseCustomers(text string) (people []listed, faults []listFault) {
	comma, text := separator(text)
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = comma, -1, true
	first := true
	rows := map[string]int{} // of people, by address
	var where csvLayout
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return people, faults
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			faults = append(faults, listFault{broken.Line, "unreadable", ""})
			continue
		}
		line, _ := r.FieldPos(0)
		if strings.TrimSpace(strings.Join(row, "")) == "" {
			continue
		}
		if first {
			first = false
			var head bool
			if where, head = layout(row); head {
				continue
			}
		}
		p, fault := where.read(row)
		if fault != "" {
			faults = append(faults, listFault{line, fault, p.Address})
			continue
		}
		key := p.address().Key()
		if i, again := rows[key]; again { // a person may stand in two rows; the later one is likely the newer
			people[i] = p
			continue
		}
		rows[key] = len(people)
		people = append(people, p)
	}
}

// separator is the sign between cells: the one of which the first line with
// any has most, outside of quotation marks. A line "sep=;", by which Excel is
// told, is taken off the text.
func separator(text string) (rune, string) {
	if rest, ok := strings.CutPrefix(text, "sep="); ok && len(rest) > 1 && strings.ContainsAny(rest[:1], ",;\t") {
		return rune(rest[0]), rest[1:]
	}
	for line := range strings.Lines(text) {
		counts := map[rune]int{}
		quoted := false
		for _, r := range line {
			if r == '"' {
				quoted = !quoted
			} else if !quoted {
				counts[r]++
			}
		}
		best := ','
		for _, r := range []rune{';', '\t'} {
			if counts[r] > 0 && counts[r] >= counts[best] { // commas are also in names
				best = r
			}
		}
		if counts[best] > 0 {
			return best, text
		}
	}
	return ',', text
}

// csvLayout says in which columns a list has what; -1 is nowhere.
type csvLayout struct{ address, name, first, last int }

// layout finds the columns by their headings, and reports whether a first row
// is one of headings: it has no address, and known titles or no empty cell.
func layout(row []string) (where csvLayout, head bool) {
	where = csvLayout{-1, -1, -1, -1}
	if strings.ContainsAny(strings.Join(row, ""), "@＠") {
		return where, false
	}
	for i, cell := range row {
		title := strings.ToLower(strings.Join(strings.Fields(norm.NFKC.String(cell)), " "))
		for at, titles := range map[*int][]string{
			&where.address: {"address", "email", "e-mail", "mail", "email address", "e-mail address", "mail address", "メールアドレス", "メール", "eメール", "e-メール", "電子メール", "電子メールアドレス", "eメールアドレス", "アドレス"},
			&where.name:    {"name", "full name", "display name", "customer", "customer name", "氏名", "名前", "お名前", "お客様", "お客様名", "顧客名", "表示名", "担当者名"},
			&where.first:   {"first name", "given name", "名"},
			&where.last:    {"last name", "surname", "family name", "姓"},
		} {
			if *at < 0 && slices.Contains(titles, title) {
				*at = i
			}
		}
	}
	empty := slices.ContainsFunc(row, func(s string) bool { return strings.TrimSpace(s) == "" })
	return where, where != csvLayout{-1, -1, -1, -1} || !empty
}

// read takes address and name out of a row. A column that no heading names is
// found by its look: the address has an @, the name is the first other text
// with a letter.
func (l csvLayout) read(row []string) (p listed, fault string) {
	cell := func(i int) string {
		if i < 0 || i >= len(row) {
			return ""
		}
		return strings.TrimSpace(strings.Map(spaces, row[i]))
	}
	at := l.address
	if at < 0 {
		at = slices.IndexFunc(row, func(s string) bool { return strings.ContainsAny(s, "@＠") })
	}
	p.Address = cell(at)
	if p.Address == "" {
		return p, "missing"
	}
	name := cell(l.name)
	if name == "" && (l.first >= 0 || l.last >= 0) {
		name = fullName(cell(l.first), cell(l.last))
	}
	if l == (csvLayout{-1, -1, -1, -1}) {
		for i := range row {
			if i != at && name == "" && strings.ContainsFunc(row[i], unicode.IsLetter) { // no number of a customer
				name = cell(i)
			}
		}
	}
	a, named, ok := customerAddress(p.Address)
	if !ok {
		return p, "bad-address"
	}
	if p.Address, p.Name = a, name; name == "" {
		p.Name = named
	}
	return p, ""
}

// spaces makes a space of what is one to a person, line ends within a cell too.
func spaces(r rune) rune {
	if unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' {
		return ' '
	}
	return r
}

// fullName is in the order of the language that the name is written in.
func fullName(first, last string) string {
	if strings.ContainsFunc(first+last, func(r rune) bool { return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) }) {
		first, last = last, first
	}
	return strings.TrimSpace(first + " " + last)
}

// customerAddress reads "taro@example.co.jp", "Taro <taro@example.co.jp>" and
// addresses in full-width characters.
func customerAddress(cell string) (address, name string, ok bool) {
	narrow := norm.NFKC.String(cell)
	name, _, angle := strings.Cut(narrow, "<")
	if address, err := ui.TypedAddress(narrow); err == nil {
		if !angle {
			name = ""
		}
		return address, strings.Trim(strings.TrimSpace(name), `"`), true
	}
	return "", "", false
}
