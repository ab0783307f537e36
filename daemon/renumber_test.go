package daemon

import (
	"testing"
	"time"
)

// A mail that was numbered anew twice is still one mail: one more of the same
// words that comes before the next look is a new one.
func TestBareMailAfterTwoRenumberings(t *testing.T) {
	t.Parallel()
	const bare = "From: door@customer.test\nSubject: Alarm\n\nThe door is open.\n"
	i := newIntake(t, "keep")
	i.deliverRaw(bare)
	i.rested()
	if err := i.server.ChangeUIDValidity("support@example.com", "INBOX"); err != nil {
		t.Fatal(err)
	}
	i.rested()
	i.wantLedger("request Alarm")
	i.deliverRaw(bare)
	if err := i.server.ChangeUIDValidity("support@example.com", "INBOX"); err != nil {
		t.Fatal(err)
	}
	i.rested()
	i.wantLedger("request Alarm", "request Alarm")
}

// The same as TestMailThatBreaksTheFetchIsSetAside with after = "keep", where
// nothing is told to the server.
func TestMailThatBreaksTheFetchIsSetAsideWithKeep(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "keep")
	i.secondMailBreaks()
	visits := 0
	for i.visit() != nil {
		if visits++; visits > 20 {
			break
		}
	}
	i.wantLedger("request mail 1", "request mail 3", "quarantined")
}

// The place of a mail that we deleted ourselves is no place for a later mail of
// the same words that comes just before the mailbox is numbered anew.
func TestBareMailAfterADeletedOne(t *testing.T) {
	t.Parallel()
	const bare = "From: door@customer.test\nSubject: Alarm\n\nThe door is open.\n"
	i := newIntake(t, "delete")
	i.deliverRaw(bare)
	i.rested()
	if n := i.left(); n != 0 {
		t.Fatalf("%d mails are left", n)
	}
	i.deliverRaw(bare)
	if err := i.server.ChangeUIDValidity("support@example.com", "INBOX"); err != nil {
		t.Fatal(err)
	}
	i.rested()
	i.wantLedger("request Alarm", "request Alarm")
}

// A mail that was set aside before its first byte came, and still breaks the
// connection when it is tried again, is set aside again, also when no other
// mail came meanwhile: else the mailbox is shown as failing for ever.
func TestMailSetAsideStaysAside(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "delete")
	i.secondMailBreaks()
	for n := 0; n < 10 && i.visit() != nil; n++ {
	}
	i.wantLedger("request mail 1", "request mail 3", "quarantined")
	i.later(2 * time.Hour)
	n := 0
	for i.visit() != nil {
		if n++; n > 20 {
			t.Fatal("the mailbox does not come to rest")
		}
	}
}
