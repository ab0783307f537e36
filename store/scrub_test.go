package store

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestScrub: without it the file keeps what the tables no longer have, which is
// why it exists; it is not done twice, and a reader of an older state puts it off.
func TestScrub(t *testing.T) {
	f := fillForgetful(t)
	s, ctx := f.s, t.Context()
	write(t, s, func(tx *Tx) error { _, err := tx.ForgetPerson(ctx, zacharias.Address); return err })
	if len(found(bytesOf(t, s))) == 0 {
		t.Error("nothing was left: Scrub is not needed any more")
	}
	version := pragma(t, s, "schema_version")
	reading, read := make(chan struct{}), make(chan error)
	go func() {
		read <- s.readers.use(ctx, func(ctx context.Context, c *conn) error {
			if err := c.script(ctx, "BEGIN; SELECT count(*) FROM requests"); err != nil {
				return err
			}
			reading <- struct{}{}
			<-reading
			return c.script(ctx, "COMMIT")
		})
	}()
	<-reading
	write(t, s, func(tx *Tx) error { return tx.conn.script(ctx, "PRAGMA busy_timeout = 10") })
	if err := s.Scrub(ctx); err == nil || !strings.Contains(err.Error(), "older state") {
		t.Errorf("with a reader: %v", err)
	}
	reading <- struct{}{}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	if err := s.Scrub(ctx); err != nil {
		t.Fatal(err)
	}
	if is := found(bytesOf(t, s)); len(is) > 0 {
		t.Errorf("the file still has %q", is)
	}
	done := pragma(t, s, "schema_version")
	if done == version {
		t.Error("the file was not written anew")
	}
	if err := s.Scrub(ctx); err != nil {
		t.Fatal(err)
	}
	if pragma(t, s, "schema_version") != done {
		t.Error("the file is written anew for nothing")
	}
	if is := pragma(t, s, "auto_vacuum"); is != "2" {
		t.Errorf("auto_vacuum %s", is)
	}
	write(t, s, func(tx *Tx) error { _, err := tx.ForgetPerson(ctx, "never@seen.example"); return err })
}

// TestForgetAgent: what somebody answered as an agent belongs to the customers.
func TestForgetAgent(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	r := conversation(t, s, "apple", neighbour)
	write(t, s, func(tx *Tx) error {
		if err := tx.AddMessage(&Message{RequestID: r.ID, Kind: KindAgent, From: aki, Text: "an answer"}); err != nil {
			return err
		}
		_, err := tx.ForgetPerson(ctx, aki.Address)
		return err
	})
	if is := got[[]Message](t)(s.Messages(ctx, r.ID)); len(is) != 2 {
		t.Errorf("%d messages are left", len(is))
	}
}

// TestIndexOfRemovedMessage: between reading messages and indexing them some of
// them are removed, or were indexed by a merge.
func TestIndexOfRemovedMessage(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	r := conversation(t, s, "apple", neighbour)
	docs := got[[]document](t)(list(ctx, s.View, scanDocument, documentColumns+"WHERE m.id > 0"))
	write(t, s, func(tx *Tx) error { return errors.Join(tx.indexFirst(r.ID), tx.index(docs[0])) })
	if is := got[[]int64](t)(s.Search(ctx, "apple", 0)); len(is) != 1 {
		t.Errorf("found %v", is)
	}
	write(t, s, func(tx *Tx) error {
		_, err := tx.ForgetPerson(ctx, neighbour.Address)
		return errors.Join(err, tx.index(docs[0]))
	})
	if n := got[[]int64](t)(list(ctx, s.View, (*row).int, "SELECT id FROM search_docsize")); len(n) != 0 {
		t.Errorf("words of a removed message are in the index: %v", n)
	}
}
