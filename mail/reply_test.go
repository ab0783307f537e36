package mail

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

var replyCases = []struct{ name, in, want string }{
	{"plain", "Hello\n\nWorld", "Hello\n\nWorld"},
	{"gmail", "Yes.\n\nOn Tue, Jan 6, 2026 at 10:00 AM Anna <a@example.com> wrote:\n\n> Does it work?\n", "Yes."},
	{"gmail folded", "Yes.\n\nOn Tue, Jan 6, 2026 at 10:00 AM Anna Berg Long Name <\nanna.berg@example.com> wrote:\n\n> Does it work?\n", "Yes."},
	{"unquoted", "Yes.\n\nOn Jan 6, 2026 you wrote:\n\nDoes it work?", "Yes."},
	{"apple", "Yes.\n\n> On 6. Jan 2026, at 10:00, Anna <a@example.com> wrote:\n> \n> Does it work?", "Yes."},
	{"outlook", "Yes.\n\nFrom: Anna <a@example.com>\nSent: Tuesday, January 6, 2026 10:00 AM\nTo: Support <s@example.org>\nSubject: Printer\n\nDoes it work?", "Yes."},
	{"outlook rule", "Yes.\n________________________________\nFrom: Anna <a@example.com>\nSent: Tuesday, January 6, 2026 10:00 AM\nTo: S\nSubject: P\n\nDoes it work?", "Yes."},
	{"outlook old", "Yes.\n\n-----Original Message-----\nFrom: Anna\nSent: today\n\nDoes it work?", "Yes."},
	{"bold header", "Yes.\n\n*From:* Anna [mailto:a@example.com]\n*Sent:* Tuesday\n*To:* S\n*Subject:* P\n\nDoes it?", "Yes."},
	{"signature", "Yes.\n\n-- \nAnna Berg\nExample Ltd", "Yes."},
	{"iphone", "Yes.\n\nSent from my iPhone\n\nOn 6 Jan 2026, at 10:00, Anna <a@example.com> wrote:\n\n> Does it?", "Yes."},
	{"inline", "Hi,\n\nOn Tue, Jan 6, 2026 at 10:00 AM Anna <a@example.com> wrote:\n> First?\nOne.\n> Second?\nTwo.\n> Bye", "Hi,\n\nOn Tue, Jan 6, 2026 at 10:00 AM Anna <a@example.com> wrote:\n> First?\nOne.\n> Second?\nTwo."},
	{"below", "On Tue, Jan 6, 2026 at 10:00 AM Anna <a@example.com> wrote:\n> Does it work?\n\nYes, it does.", "Yes, it does."},
	{"bare dashes in text", "Two options\n--\nfirst\nsecond\nthird\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven\ntwelve\nthirteen", "Two options\n--\nfirst\nsecond\nthird\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven\ntwelve\nthirteen"},
	{"form", "From: Anna\nDate: today\nSubject: Printer\n\nIt burns.", "From: Anna\nDate: today\nSubject: Printer\n\nIt burns."},
	{"journey", "Please book:\n\nFrom: Berlin\nTo: Munich\nDate: 3 May 2026\n\nThank you", "Please book:\n\nFrom: Berlin\nTo: Munich\nDate: 3 May 2026\n\nThank you"},
	{"own mail", "On 5 January 2026 I wrote:\n\nIt burns. Nobody came.", "On 5 January 2026 I wrote:\n\nIt burns. Nobody came."},
	{"dashes between", "Please mend the printer.\n--\nAnd the scanner does not scan.", "Please mend the printer.\n--\nAnd the scanner does not scan."},
	{"bare dashes", "Please mend it.\n--\nAnna Berg\nExample Ltd.", "Please mend it."},
	{"no program", "The parcel is on its way.\n\nSent via DHL yesterday", "The parcel is on its way.\n\nSent via DHL yesterday"},
	{"proton", "Yes.\n\nSent with Proton Mail secure email.\n\n‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐\nOn Tuesday, January 6th, 2026 at 10:00, Anna <a@example.com> wrote:\n\n> Does it?", "Yes."},
	{"list footer", "Hello.\n\n--\nYou received this message because you are subscribed to a group.\nTo unsubscribe from it, send an email to x@example.com.", "Hello."},
	{"underscored footer", "Hello.\n\n_______________\ntalk mailing list\nhttps://example.com/listinfo/talk", "Hello."},
	{"signature only", "-- \nAnna", "-- \nAnna"},
	{"sentence", "I saw what you wrote:\nnothing at all.", "I saw what you wrote:\nnothing at all."},
	{"time in text", "Meet at 10:00:\n\nthe usual place", "Meet at 10:00:\n\nthe usual place"},

	{"old gmail", "Yes.\n\n2026/1/6 Anna <a@example.com>\n\n> Does it work?", "Yes."},
	{"desk", "Yes.\n\n##- Please type your reply above this line -##\n\nYour request was answered.", "Yes."},
	{"lotus", "Yes.\n\nAnna Berg/EXAMPLE wrote on 01/06/2026 10:00:00 AM:\n\nDoes it work?", "Yes."},
	{"qq", "Yes.\n\n------------------ Original ------------------\nFrom: \"Anna\"<a@example.com>\nDate: Tue, Jan 6, 2026\n\nDoes it?", "Yes."},
	{"fr nbsp", "Oui.\n\nLe 6 janv. 2026 à 10:00, Anna <a@example.com> a écrit\u00a0:\n\nÇa marche ?", "Oui."},
	{"zoho", "Yes.\n\n---- On Tue, 06 Jan 2026 10:00:00 +0100 a@example.com wrote ----\n\nDoes it?", "Yes."},
	{"de gmail", "Ja.\n\nAm Di., 6. Jan. 2026 um 10:00 Uhr schrieb Anna <a@example.com>:\n\n> Geht es?", "Ja."},
	{"de thunderbird", "Ja.\n\nAm 06.01.2026 um 10:00 schrieb Anna Berg:\n> Geht es?", "Ja."},
	{"de outlook", "Ja.\n\nVon: Anna <a@example.com>\nGesendet: Dienstag, 6. Januar 2026 10:00\nAn: Support\nBetreff: Drucker\n\nGeht es?", "Ja."},
	{"fr gmail", "Oui.\n\nLe mar. 6 janv. 2026 à 10:00, Anna <a@example.com> a écrit :\n\n> Ça marche ?", "Oui."},
	{"fr outlook", "Oui.\n\nDe : Anna <a@example.com>\nEnvoyé : mardi 6 janvier 2026 10:00\nÀ : Support\nObjet : Imprimante\n\nÇa marche ?", "Oui."},
	{"es gmail", "Sí.\n\nEl mar, 6 ene 2026 a las 10:00, Anna (<a@example.com>) escribió:\n\n> ¿Funciona?", "Sí."},
	{"es outlook", "Sí.\n\nDe: Anna <a@example.com>\nEnviado: martes, 6 de enero de 2026 10:00\nPara: Soporte\nAsunto: Impresora\n\n¿Funciona?", "Sí."},
	{"pt gmail", "Sim.\n\nEm ter., 6 de jan. de 2026 às 10:00, Anna <a@example.com> escreveu:\n\n> Funciona?", "Sim."},
	{"pt outlook", "Sim.\n\nDe: Anna <a@example.com>\nEnviada em: terça-feira, 6 de janeiro de 2026 10:00\nPara: Suporte\nAssunto: Impressora\n\nFunciona?", "Sim."},
	{"it gmail", "Sì.\n\nIl giorno mar 6 gen 2026 alle ore 10:00 Anna <a@example.com> ha scritto:\n\n> Funziona?", "Sì."},
	{"it outlook", "Sì.\n\nDa: Anna <a@example.com>\nInviato: martedì 6 gennaio 2026 10:00\nA: Supporto\nOggetto: Stampante\n\nFunziona?", "Sì."},
	{"nl gmail", "Ja.\n\nOp di 6 jan 2026 om 10:00 schreef Anna <a@example.com>:\n\n> Werkt het?", "Ja."},
	{"nl outlook", "Ja.\n\nVan: Anna <a@example.com>\nVerzonden: dinsdag 6 januari 2026 10:00\nAan: Support\nOnderwerp: Printer\n\nWerkt het?", "Ja."},
	{"sv gmail", "Ja.\n\nDen tis 6 jan. 2026 kl 10:00 skrev Anna <a@example.com>:\n\n> Funkar det?", "Ja."},
	{"sv outlook", "Ja.\n\nFrån: Anna <a@example.com>\nSkickat: den 6 januari 2026 10:00\nTill: Support\nÄmne: Skrivare\n\nFunkar det?", "Ja."},
	{"no gmail", "Ja.\n\ntir. 6. jan. 2026 kl. 10:00 skrev Anna <a@example.com>:\n\n> Virker det?", "Ja."},
	{"no outlook", "Ja.\n\nFra: Anna <a@example.com>\nSendt: tirsdag 6. januar 2026 10:00\nTil: Support\nEmne: Skriver\n\nVirker det?", "Ja."},
	{"da gmail", "Ja.\n\nDen tirs. 6. jan. 2026 kl. 10.00 skrev Anna <a@example.com>:\n\n> Virker den?", "Ja."},
	{"fi gmail", "Kyllä.\n\nti 6. tammik. 2026 klo 10.00 Anna (a@example.com) kirjoitti:\n\n> Toimiiko se?", "Kyllä."},
	{"fi outlook", "Kyllä.\n\nLähettäjä: Anna <a@example.com>\nLähetetty: tiistai 6. tammikuuta 2026 10.00\nVastaanottaja: Tuki\nAihe: Tulostin\n\nToimiiko se?", "Kyllä."},
	{"pl gmail", "Tak.\n\nwt., 6 sty 2026 o 10:00 Anna <a@example.com> napisał(a):\n\n> Czy działa?", "Tak."},
	{"pl outlook", "Tak.\n\nOd: Anna <a@example.com>\nWysłano: wtorek, 6 stycznia 2026 10:00\nDo: Wsparcie\nTemat: Drukarka\n\nCzy działa?", "Tak."},
	{"cs gmail", "Ano.\n\nút 6. 1. 2026 v 10:00 odesílatel Anna <a@example.com> napsal:\n\n> Funguje?", "Ano."},
	{"cs outlook", "Ano.\n\nOd: Anna <a@example.com>\nOdesláno: úterý 6. ledna 2026 10:00\nKomu: Podpora\nPředmět: Tiskárna\n\nFunguje?", "Ano."},
	{"ru gmail", "Да.\n\nвт, 6 янв. 2026 г. в 10:00, Анна <a@example.com>:\n\n> Работает?", "Да."},
	{"ru outlook", "Да.\n\nОт: Анна <a@example.com>\nОтправлено: вторник, 6 января 2026 г. 10:00\nКому: Поддержка\nТема: Принтер\n\nРаботает?", "Да."},
	{"ru thunderbird", "Да.\n\n06.01.2026 10:00, Анна пишет:\n> Работает?", "Да."},
	{"uk gmail", "Так.\n\nвт, 6 січ. 2026 р. о 10:00 Анна <a@example.com> пише:\n\n> Працює?", "Так."},
	{"uk outlook", "Так.\n\nВід: Анна <a@example.com>\nНадіслано: вівторок, 6 січня 2026 р. 10:00\nКому: Підтримка\nТема: Принтер\n\nПрацює?", "Так."},
	{"zh gmail", "是的。\n\nAnna <a@example.com> 于2026年1月6日周二 10:00写道：\n\n> 能用吗？", "是的。"},
	{"zh outlook", "是的。\n\n发件人: Anna <a@example.com>\n发送时间: 2026年1月6日 10:00\n收件人: 支持\n主题: 打印机\n\n能用吗？", "是的。"},
	{"zh qq", "是的。\n\n------------------ 原始邮件 ------------------\n发件人: \"Anna\"<a@example.com>;\n发送时间: 2026年1月6日(星期二) 上午10:00\n收件人: \"支持\"<s@example.org>;\n主题: 打印机\n\n能用吗？", "是的。"},
	{"tw gmail", "是的。\n\nAnna <a@example.com> 於 2026年1月6日 週二 上午10:00寫道：\n\n> 能用嗎？", "是的。"},
	{"tw outlook", "是的。\n\n寄件者: Anna <a@example.com>\n寄件日期: 2026年1月6日 10:00\n收件者: 支援\n主旨: 印表機\n\n能用嗎？", "是的。"},
	{"ko gmail", "네.\n\n2026년 1월 6일 (화) 오전 10:00, Anna <a@example.com>님이 작성:\n\n> 되나요?", "네."},
	{"ko outlook", "네.\n\n보낸 사람: Anna <a@example.com>\n보낸 날짜: 2026년 1월 6일 화요일 오전 10:00\n받는 사람: 지원\n제목: 프린터\n\n되나요?", "네."},
	{"tr gmail", "Evet.\n\nAnna <a@example.com>, 6 Oca 2026 Sal, 10:00 tarihinde şunu yazdı:\n\n> Çalışıyor mu?", "Evet."},
	{"tr outlook", "Evet.\n\nKimden: Anna <a@example.com>\nGönderildi: 6 Ocak 2026 Salı 10:00\nKime: Destek\nKonu: Yazıcı\n\nÇalışıyor mu?", "Evet."},
	{"vi gmail", "Vâng.\n\nVào Th 3, 6 thg 1, 2026 vào lúc 10:00 Anna <a@example.com> đã viết:\n\n> Có chạy không?", "Vâng."},
	{"vi outlook", "Vâng.\n\nTừ: Anna <a@example.com>\nĐã gửi: Thứ Ba, 6 Tháng Giêng 2026 10:00\nĐến: Hỗ trợ\nChủ đề: Máy in\n\nCó chạy không?", "Vâng."},
	{"ja gmail", "はい。\n\n2026年1月6日(火) 10:00 Anna <a@example.com>:\n\n> 動きますか。", "はい。"},
	{"ja outlook", "はい。\n\n差出人: Anna <a@example.com>\n送信日時: 2026年1月6日 10:00\n宛先: サポート\n件名: プリンター\n\n動きますか。", "はい。"},
	{"ja outlook old", "はい。\n\n-----Original Message-----\nFrom: Anna <a@example.com>\nSent: Tuesday, January 6, 2026 10:00 AM\n\n動きますか。", "はい。"},
	{"ja apple", "はい。\n\nOn 2026/01/06 10:00、Anna <a@example.com>のメール:\n\n> 動きますか。", "はい。"},
	{"ja thunderbird", "はい。\n\nOn 2026/01/06 10:00, Anna wrote:\n> 動きますか。", "はい。"},
	{"ja yahoo", "はい。\n\n----- Original Message -----\n差出人: Anna <a@example.com>\n日時: 2026/1/6, Tue 10:00\n件名: プリンター\n\n動きますか。", "はい。"},
	{"ja wrote", "はい。\n\n(2026/01/06 10:00), 山田太郎 さんは書きました:\n> 動きますか。", "はい。"},
	{"ja iphone", "はい。\n\niPhoneから送信\n\n2026/01/06 10:00、Anna <a@example.com>のメール:\n\n> 動きますか。", "はい。"},
	{"ja forward", "見てください。\n\n---------- Forwarded message ---------\nFrom: Anna <a@example.com>\nDate: 2026年1月6日(火) 10:00\nSubject: x\nTo: <s@example.org>\n\n本文", "見てください。"},
}

func TestReplyPart(t *testing.T) {
	for _, c := range replyCases {
		if got := replyPart(c.in, true); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// No unquoted line is lost: random texts of words, quotes, empty lines and
// punctuation, without anything that introduces a quoted mail or a signature.
func TestReplyKeepsEveryLine(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("printer paper 10:00 2026 a@example.com burns - * wrote From: date yes, no. http://example.com/x 例 です。 — (see) \"quoted\" 3/4 #12")
	for n := range 3000 {
		var lines, own []string
		for i := range 1 + rnd.IntN(20) {
			var l []string
			for range 1 + rnd.IntN(7) {
				l = append(l, words[rnd.IntN(len(words))])
			}
			line := fmt.Sprintf("L%d-%d ", n, i) + strings.Join(l, " ") + " end"
			switch rnd.IntN(4) {
			case 0:
				lines = append(lines, "> "+line)
			case 1:
				lines = append(lines, "", line)
				own = append(own, line)
			default:
				lines = append(lines, line)
				own = append(own, line)
			}
		}
		reply := "\n" + replyPart(strings.Join(lines, "\n"), n%2 == 0) + "\n"
		for _, l := range own {
			if !strings.Contains(reply, "\n"+l+"\n") {
				t.Fatalf("lost %q of\n%s\nreply:%s", l, strings.Join(lines, "\n"), reply)
			}
		}
	}
}
