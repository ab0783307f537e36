package desk

import (
	"strings"
	"testing"

	"helpdesk/mail"
)

func TestListed(t *testing.T) {
	list := []string{"taro@customer.test", "evil.test", "mail.evil.test", "co.jp"}
	for address, want := range map[string]string{
		"taro@customer.test": "taro@customer.test", " TARO@Customer.Test": "taro@customer.test", "jiro@customer.test": "",
		"x@evil.test": "evil.test", "x@evil.test.": "evil.test", "x@a.b.evil.test": "evil.test", "x@mail.evil.test": "mail.evil.test", "x@a.mail.evil.test": "mail.evil.test",
		"x@notevil.test": "", "x@evil.test.good.test": "", "evil.test@good.test": "", "\"x@evil.test\"@good.test": "", "x@test": "",
		"x@office.co.jp": "co.jp", "evil.test": "evil.test", "": "", "@": "",
	} {
		if got := listed(list, mail.Address{Address: address}); got != want {
			t.Errorf("%q is listed as %q, want %q", address, got, want)
		}
	}
}

func TestLanguageOf(t *testing.T) {
	for _, c := range []struct{ subject, text, want string }{
		{"プリンター", "印刷できません。", "ja"},
		{"御見積依頼", "", "ja"},
		{"Re: Windows 11 Pro", "Microsoft Teams の Web 版にログインできません。よろしくお願いします。", "ja"},
		{"Printer", "It does not print. Regards, 田中", "en"},
		{"Drucker", "Er druckt nicht.", "en"},
		{"打印机", strings.Repeat("打印机不能使用请帮助我们解决这个问题谢谢", 3), ""},
		{"Принтер", "Он не печатает.", ""},
		{"프린터", "인쇄가 안 됩니다.", ""},
		{"", "12345 :-)", ""},
		{"", "", ""},
	} {
		if got := languageOf(&mail.Message{Subject: c.subject, Reply: c.text}); got != c.want {
			t.Errorf("%q %q is in %q, want %q", c.subject, c.text, got, c.want)
		}
	}
}
