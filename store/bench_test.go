package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
)

// sample is a mail as the desk hands it to the store.
type sample struct {
	raw     []byte
	sum     [32]byte
	text    string
	from    mail.Address
	id      string
	subject string
}

var words = strings.Fields(`the order number and of invoice please to we our delivery have been not received yet since monday
	customer regards shipping address changed could you send again attached screenshot error message when I try login password reset
	printer office building floor access card broken request urgent thank very much help account information contract date between
	product replacement warranty still waiting answer phone call tomorrow morning team`)

// makeSample makes a mail of about size bytes: a third of it is headers that
// compress badly, as those of real mail do.
func makeSample(r *rand.Rand, n, size int) sample {
	s := sample{
		from:    mail.Address{Name: fmt.Sprintf("Customer Number %d", n), Address: fmt.Sprintf("%s.%d@customer%d.example", words[r.IntN(len(words))], n, r.IntN(500))},
		id:      fmt.Sprintf("%x.%d@mail%d.example.net", r.Uint64(), n, r.IntN(1000)),
		subject: fmt.Sprintf("Question about %s %s %d", words[r.IntN(len(words))], words[r.IntN(len(words))], n),
	}
	var b, text strings.Builder
	for i := range 4 {
		fmt.Fprintf(&b, "Received: from mx%d.example.org (mx%d.example.org [192.0.2.%d])\r\n\tby mail.example.net (Postfix) with ESMTPS id %X\r\n\tfor <support@example.com>; Sat, 21 Nov 2026 10:%02d:%02d +0000 (UTC)\r\n",
			i, r.IntN(90), r.IntN(250), r.Uint64(), r.IntN(60), r.IntN(60))
	}
	sig := make([]byte, size/14)
	for i := range sig {
		sig[i] = byte(r.Uint32())
	}
	fmt.Fprintf(&b, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; b=%x\r\n", sig)
	fmt.Fprintf(&b, "From: %s <%s>\r\nTo: support@example.com\r\nSubject: %s\r\nMessage-ID: <%s>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
		s.from.Name, s.from.Address, s.subject, s.id)
	for b.Len()+text.Len() < size {
		for range 10 + r.IntN(5) {
			text.WriteString(words[r.IntN(len(words))])
			text.WriteByte(' ')
		}
		text.WriteByte('\n')
	}
	s.text = text.String()
	b.WriteString(strings.ReplaceAll(s.text, "\n", "\r\n"))
	s.raw = []byte(b.String())
	s.sum = sha256.Sum256(s.raw)
	return s
}

// take writes what the desk writes for a mail that becomes a request: ledger,
// position, fingerprint, raw mail, request, message, participant, customer, an
// acknowledgement and one notice to an agent.
func take(ctx context.Context, tx *Tx, s sample, p Packed, uid uint32) error {
	sum := s.sum
	fp, hh := [16]byte(sum[:16]), [16]byte(sum[16:])
	if _, dup, err := tx.EntryByFingerprint(ctx, 1, fp); err != nil || dup {
		return fmt.Errorf("duplicate %v: %w", dup, err)
	}
	if n, err := tx.AutomaticSince(ctx, s.from.Address, tx.Now().Add(-time.Hour)); err != nil || n > 5 {
		return fmt.Errorf("too many %d: %w", n, err)
	}
	key, err := tx.NextKey("SUP")
	if err != nil {
		return err
	}
	req := Request{DeskID: 1, Key: key, Type: "Email request", Subject: s.subject, Requester: s.from}
	if err := tx.AddRequest(&req); err != nil {
		return err
	}
	e := Entry{DeskID: 1, MailboxID: 1, UIDValidity: 77, UID: uid, MessageID: s.id, From: s.from, Subject: s.subject, Outcome: "request", Rule: "request",
		Reason: "new", Passed: []string{"skipped", "duplicate", "own", "bounce", "blocked", "automatic", "bulk", "agent", "reply"},
		RequestID: req.ID, Fingerprint: fp, Size: int64(len(s.raw)), RawState: RawWhole}
	if err := tx.AddEntry(&e); err != nil {
		return err
	}
	m := Message{RequestID: req.ID, LedgerID: e.ID, Kind: KindCustomer, From: s.from, Text: s.text, Reply: s.text, MessageID: s.id}
	ack := OutboxLine{DeskID: 1, RequestID: req.ID, Event: "received", To: s.from, MessageID: fmt.Sprintf("hd.c.%d.%d.received.%x@example.com", req.ID, req.ID, sum[:10]),
		InReplyTo: s.id, References: []string{s.id}, Automatic: true}
	notice := OutboxLine{DeskID: 1, RequestID: req.ID, Event: "new", To: mail.Address{Name: "Aki", Address: "aki@example.com"},
		MessageID: fmt.Sprintf("hd.a.%d.%d.new.%x@example.com", req.ID, req.ID, sum[10:20]), References: []string{s.id}, Automatic: true}
	steps := []func() error{
		func() error {
			return tx.AddPosition(Position{MailboxID: 1, UIDValidity: 77, UID: uid, LedgerID: e.ID, Size: int64(len(s.raw)), HeaderHash: hh, Pending: "seen"})
		},
		func() error { return tx.AddFingerprint(1, fp, e.ID) },
		func() error { return tx.PutRaw(e.ID, p) },
		func() error { return tx.AddMessage(&m) },
		func() error { return tx.AddParticipant(req.ID, Participant{Address: s.from, Role: RoleRequester}) },
		func() error { _, err := tx.UpsertCustomer(s.from, tx.Now()); return err },
		func() error { return tx.Queue(&ack) },
		func() error { notice.MessageRow = m.ID; return tx.Queue(&notice) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkIntake takes mails of 6 kB into an empty store, in batches as the
// collect loop does. mails/s is the writer alone; packed/s is how many mails one
// goroutine packs, which is done beforehand and by several.
func BenchmarkIntake(b *testing.B) {
	const mails = 4000
	r := rand.New(rand.NewPCG(1, 2))
	samples := make([]sample, mails)
	for i := range samples {
		samples[i] = makeSample(r, i, 6000)
	}
	for _, batch := range []int{100, 200} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			var writing, packing time.Duration
			for b.Loop() {
				w, p := intake(b, samples, batch)
				writing, packing = writing+w, packing+p
			}
			b.ReportMetric(float64(mails*b.N)/writing.Seconds(), "mails/s")
			b.ReportMetric(float64(mails*b.N)/packing.Seconds(), "packed/s")
		})
	}
}

func intake(b *testing.B, samples []sample, batch int) (writing, packing time.Duration) {
	b.Helper()
	ctx := b.Context()
	s, err := Open(ctx, filepath.Join(b.TempDir(), "helpdesk.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}()
	t0 := time.Now()
	packed := make([]Packed, len(samples))
	for i, m := range samples {
		if packed[i], err = s.Pack(io.NewSectionReader(bytes.NewReader(m.raw), 0, int64(len(m.raw)))); err != nil {
			b.Fatal(err)
		}
	}
	packing = time.Since(t0)
	t0 = time.Now()
	for i := 0; i < len(samples); i += batch {
		err := s.Write(ctx, func(tx *Tx) error {
			for j := i; j < min(i+batch, len(samples)); j++ {
				if err := take(ctx, tx, samples[j], packed[j], uint32(j+1)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(t0), packing
}
