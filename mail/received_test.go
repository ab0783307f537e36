package mail

import (
	"testing"
	"time"
)

func TestReceivedAt(t *testing.T) {
	at := time.Date(2026, 11, 21, 10, 0, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		header string
		want   time.Time
	}{
		"the topmost counts": {"Return-Path: <a@b>\r\nReceived: from a by mx.example.com\r\n with ESMTPS id 1;\r\n Sat, 21 Nov 2026 19:00:05 +0900 (JST)\r\nReceived: from b by a; Mon, 1 Jan 2001 00:00:00 +0000\r\n\r\n", at},
		"Gmail":              {"Delivered-To: a@gmail.com\r\nReceived: by 2002:a05:6a10:1 with SMTP id x; Sat, 21 Nov 2026 02:00:05 -0800 (PST)\r\n\r\n", at},
		"no date":            {"Received: from a by b\r\nDate: Sat, 21 Nov 2026 19:00:05 +0900\r\n\r\n", time.Time{}},
		"an unreadable one is not replaced by a lower one": {"Received: from a by b; rubbish\r\nReceived: from b by a; Mon, 1 Jan 2001 00:00:00 +0000\r\n\r\n", time.Time{}},
		"none":        {"Date: Sat, 21 Nov 2026 19:00:05 +0900\r\n\r\n", time.Time{}},
		"in the body": {"Subject: x\r\n\r\nReceived: from b by a; Mon, 1 Jan 2001 00:00:00 +0000\r\n", time.Time{}},
	} {
		if got := ReceivedAt([]byte(c.header)); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
