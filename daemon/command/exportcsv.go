package command

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"helpdesk/mail"
	"helpdesk/store"
)

// csvColumn is a column of the export; its heading is "export." and the name in
// the words of the page.
type csvColumn struct {
	name  string
	value func(*shown) string
}

// csvColumns are those that every request has.
func csvColumns() []csvColumn {
	return []csvColumn{
		{"key", func(r *shown) string { return r.Key }},
		{"desk", func(r *shown) string { return r.Desk }},
		{"type", func(r *shown) string { return r.Type }},
		{"subject", func(r *shown) string { return r.Subject }},
		{"state", func(r *shown) string { return r.State }},
		{"requester-name", func(r *shown) string { return r.Requester.Name }},
		{"requester-address", func(r *shown) string { return r.Requester.Address }},
		{"participants", func(r *shown) string { return addresses(r.Participants) }},
		{"assignee", func(r *shown) string { return r.Assignee }},
		{"created", func(r *shown) string { return csvTime(r.Created) }},
		{"updated", func(r *shown) string { return csvTime(r.Updated) }},
		{"awaiting-since", func(r *shown) string { return csvTime(r.Request.AwaitingSince) }},
		{"resolved", func(r *shown) string { return csvTime(r.Request.ResolvedAt) }},
		{"closed", func(r *shown) string { return csvTime(r.Request.ClosedAt) }},
		{"messages", func(r *shown) string { return strconv.Itoa(r.Request.Messages) }},
		{"linked-to", func(r *shown) string { return r.Linked }},
		{"merged-into", func(r *shown) string { return r.Merged }},
		{"spam", func(r *shown) string { return yes(r.Spam) }},
	}
}

// messageColumns are those of a message, beside those of its request.
func messageColumns() []string {
	return []string{"message-kind", "message-name", "message-address", "message-at", "message-text", "message-attachments"}
}

func messageCells(m *store.Message) []string {
	names := make([]string, len(m.Attachments))
	for i, a := range m.Attachments {
		names[i] = a.Name
	}
	text := m.Reply
	if strings.TrimSpace(text) == "" {
		text = m.Text
	}
	return []string{m.Kind, m.From.Name, m.From.Address, csvTime(m.At), strings.TrimSpace(text), strings.Join(names, "; ")}
}

// csv writes a row for each request, or for each message. By its byte order
// mark spreadsheets know that it is UTF-8.
func (x *exporter) csv(ctx context.Context, w io.Writer) error {
	fields, err := x.fieldNames(ctx)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true // RFC 4180 section 2
	columns := csvColumns()
	var head []string
	for _, c := range columns {
		head = append(head, x.words.Text("export."+c.name))
	}
	for _, name := range fields {
		head = append(head, x.words.Field(name))
	}
	if x.messages {
		for _, name := range messageColumns() {
			head = append(head, x.words.Text("export."+name))
		}
	}
	if err := out.Write(harmless(head)); err != nil {
		return err
	}
	err = x.each(ctx, func(r store.Request) error {
		full, err := completeRequest(ctx, x.store, r, x.messages)
		if err != nil {
			return err
		}
		var row []string
		for _, c := range columns {
			row = append(row, c.value(full))
		}
		for _, name := range fields {
			row = append(row, r.Fields[name])
		}
		if !x.messages {
			return out.Write(harmless(row))
		}
		for i := range full.Messages {
			cells := append(row[:len(row):len(row)], messageCells(&full.Messages[i])...)
			if err := out.Write(harmless(cells)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if out.Flush(); out.Error() != nil {
		return fmt.Errorf("writing the table: %w", out.Error())
	}
	return nil
}

// harmless puts an apostrophe before what a spreadsheet would take for a
// formula: all of it was written by strangers. The full-width signs are the
// same to Japanese spreadsheets.
func harmless(row []string) []string {
	for i, cell := range row {
		// Blanks that a spreadsheet may take away do not hide the sign.
		first, _ := utf8.DecodeRuneInString(strings.TrimLeft(cell, " \u00a0\u3000\u200b\ufeff"))
		if strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
			row[i] = "'" + cell
		}
	}
	return row
}

// csvTime is a time as spreadsheets read it, in this computer's time zone.
func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func addresses(list []mail.Address) string {
	all := make([]string, len(list))
	for i, a := range list {
		all[i] = both(a)
	}
	return strings.Join(all, "; ")
}

func yes(b bool) string {
	if b {
		return "1"
	}
	return ""
}
