package mail

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

var charsetCases = []struct{ label, in, want string }{
	{"utf-8", "Gr\xc3\xbc\xc3\x9fe", "Grüße"},
	{"us-ascii", "Gr\xc3\xbc\xc3\x9fe", "Grüße"},
	{"", "Gr\xfc\xdfe aus K\xf6ln", "Grüße aus Köln"},
	{"us-ascii", "Gr\xfc\xdfe aus K\xf6ln", "Grüße aus Köln"},
	{"iso-8859-1", "Gr\xc3\xbc\xc3\x9fe", "Grüße"},
	{"iso-8859-1", "\x93quoted\x94 \x80", "“quoted” €"},
	{"ISO_8859-15", "\xa4", "€"},
	{"cp1251", "\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"},
	{"iso-2022-jp", "\x1b$B%F%9%H\x1b(B ok", "テスト ok"},
	{"iso-2022-jp", "\x1b$B-!\x1b(B", "①"},
	{"iso-2022-jp-ms", "\x1b$B|b\x1b(B", "髙"},
	{"iso-2022-jp", "\x1b(I6E\x1b(B", "ｶﾅ"},
	{"iso-2022-jp", "\x0e6E\x0f", "ｶﾅ"},
	{"iso-2022-jp", "\xb6\xc5", "ｶﾅ"},
	{"us-ascii", "\x1b$B%F%9%H\x1b(B", "テスト"},
	{"shift_jis", "\x83e\x83X\x83g\x87@\xfb\xfc", "テスト①髙"},
	{"windows-31j", "\x83e\x83X\x83g", "テスト"},
	{"euc-jp", "\xa5\xc6\xa5\xb9\xa5\xc8", "テスト"},
	{"gb2312", "\xb2\xe2\xca\xd4", "测试"},
	{"big5", "\xb4\xfa\xb8\xd5", "測試"},
	{"ks_c_5601-1987", "\xc5\xd7\xbd\xba\xc6\xae", "테스트"},
	{"koi8-r", "\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"},
	{"utf-7", "Gr+APwA3w-e +- +2D3cqQ-", "Grüße + 💩"},
	{"utf-16le", "G\x00r\x00\xfc\x00", "Grü"},
	{"utf-16", "\xfe\xff\x00G\x00r\x00\xfc", "Grü"},
	{"unicode", "G\x00r\x00\xfc\x00", "Grü"},
	{"utf-16", "plain bytes", "plain bytes"},
	{"iso-2022-kr", "\x1b$)CHi \x0e>H3gGO<<?d\x0f 1\r\n\x0e0m044T\x0f!", "Hi 안녕하세요 1\r\n고객님!"},
	{"", "\x1b$)C\r\n\x0e>H3g\x0f", "\r\n안녕"},
	{"iso-2022-cn", "\x1b$)A\x0eDc:C\x0f ok", "你好 ok"},
	{"utf-8", "caf\xc3\xa9 und na\xc3\xafve \xff!", "café und naïve \uFFFD!"},
	{"shift_jis", "Gr\xc3\xbc\xc3\x9fe und sch\xc3\xb6ne W\xc3\xbcnsche", "Grüße und schöne Wünsche"},
}

func TestDecodeCharset(t *testing.T) {
	for _, c := range charsetCases {
		if got, _ := decodeCharset(c.label, []byte(c.in)); got != c.want {
			t.Errorf("%s %q gives %q, want %q", c.label, c.in, got, c.want)
		}
	}
}

// Texts of our own in each language, without a label or with a wrong one.
func TestGuessCharset(t *testing.T) {
	const (
		ja = "お世話になっております。山田です。プリンターが動かなくなりましたので、ご確認をお願いいたします。"
		ru = "Здравствуйте, у нас не работает принтер, помогите пожалуйста разобраться."
		zh = "您好，我们的打印机不能工作了，请您帮助我们解决这个问题，谢谢。"
		tw = "您好，我們的印表機不能工作了，請您幫助我們解決這個問題，謝謝。"
		ko = "안녕하세요. 프린터가 작동하지 않습니다. 확인 부탁드립니다. 감사합니다."
		de = "Guten Tag, der Drucker druckt keine Umlaute mehr: Größe, Übung, ähnlich."
		pl = "Dzień dobry, drukarka przestała działać w poniedziałek. Proszę o pomoc, dziękuję."
		fr = "Bonjour, l'imprimante ne répond plus depuis hier, pouvez-vous nous aider s'il vous plaît ? Merci à vous."
		el = "Καλημέρα σας, ο εκτυπωτής δεν λειτουργεί από χθες. Μπορείτε να βοηθήσετε; Ευχαριστώ."
		he = "שלום, המדפסת במשרד לא עובדת מאתמול. אפשר בבקשה לעזור לנו? תודה רבה"
		ar = "مرحبا، الطابعة لا تعمل منذ أمس. هل يمكنكم مساعدتنا من فضلكم؟ شكرا جزيلا"
		th = "สวัสดีครับ เครื่องพิมพ์ใช้งานไม่ได้ตั้งแต่เมื่อวาน รบกวนช่วยตรวจสอบด้วยครับ ขอบคุณครับ"
		tr = "Merhaba, yazıcı dünden beri çalışmıyor. Yardımcı olur musunuz? Teşekkür ederim, iyi günler."
		is = "Góðan daginn, prentarinn virkar ekki. Getið þið hjálpað okkur? Með bestu kveðju, Þórður"
	)
	for _, c := range []struct {
		name, label, text string
		e                 encoding.Encoding
	}{
		{"shift_jis", "", ja, japanese.ShiftJIS}, {"euc-jp", "", ja, japanese.EUCJP}, {"shift_jis as latin1", "iso-8859-1", ja, japanese.ShiftJIS},
		{"short shift_jis", "", "テストです", japanese.ShiftJIS}, {"short euc-jp", "", "テストです", japanese.EUCJP},
		{"kanji only", "", "株式会社山田製作所 総務部", japanese.ShiftJIS},
		{"shift_jis as ascii", "us-ascii", ja, japanese.ShiftJIS}, {"euc-jp as shift_jis", "shift_jis", ja, japanese.EUCJP}, {"shift_jis as utf-8", "utf-8", ja, japanese.ShiftJIS},
		{"1251", "", ru, charmap.Windows1251}, {"koi8-r", "", ru, charmap.KOI8R}, {"1251 as utf-8", "utf-8", ru, charmap.Windows1251},
		{"gb", "", zh, simplifiedchinese.GBK}, {"big5", "", tw, traditionalchinese.Big5}, {"euc-kr", "", ko, korean.EUCKR},
		{"1250", "", pl, charmap.Windows1250}, {"iso-8859-2", "", pl, charmap.ISO8859_2},
		{"german", "", de, charmap.Windows1252}, {"french", "us-ascii", fr, charmap.Windows1252}, {"french as utf-8", "utf-8", fr, charmap.Windows1252},
		{"greek", "", el, charmap.Windows1253}, {"hebrew", "", he, charmap.Windows1255}, {"arabic", "us-ascii", ar, charmap.Windows1256},
		{"thai", "", th, charmap.Windows874}, {"turkish", "", tr, charmap.Windows1254}, {"icelandic", "", is, charmap.Windows1252},
	} {
		raw, err := c.e.NewEncoder().String(c.text)
		if err != nil {
			t.Fatal(err)
		}
		got, problem := decodeCharset(c.label, []byte(raw))
		if got != c.text || problem != ProblemCharsetGuessed {
			t.Errorf("%s gives %q, %q", c.name, got, problem)
		}
	}
}

// Subjects are short: a few words must be enough.
func TestGuessCharsetShort(t *testing.T) {
	for _, c := range []struct {
		e     encoding.Encoding
		texts string // divided by "|"
	}{
		{charmap.Windows1251, "Принтер|Не работает принтер|Вопрос по заказу|Re: счёт-фактура|СРОЧНО: сервер недоступен"},
		{charmap.KOI8R, "Принтер|Не работает принтер|Вопрос по заказу|Re: Счет на оплату"},
		{charmap.Windows1253, "Ο εκτυπωτής δεν λειτουργεί|Ερώτηση για την παραγγελία|Re: Τιμολόγιο|Πρόβλημα σύνδεσης"},
		{charmap.Windows1255, "המדפסת לא עובדת|שאלה על ההזמנה|חשבונית חסרה"},
		{charmap.Windows1256, "الطابعة لا تعمل|سؤال عن الطلب|مشكلة في الدخول إلى الحساب"},
		{charmap.Windows1254, "Yazıcı çalışmıyor|Sipariş hakkında|Şifre değişikliği"},
		{charmap.Windows1252, "Größe falsch|Réparation|Señal de año|Où êtes-vous ?|Über uns|¿Cómo está?|Ação não concluída|Blåbærsyltetøy|Ärendet är öppet|25 °C|Order 77 éè without charset|Voilà : à é è"},
		{charmap.Windows1250, "Proszę o przesłanie faktury|Dziękuję, wszystko działa"},
		{japanese.ShiftJIS, "見積もりのお願い|プリンター故障|お問い合わせ|請求書について"},
		{japanese.EUCJP, "見積もりのお願い|プリンター故障|お問い合わせ|請求書について"},
		{simplifiedchinese.GBK, "打印机不能工作|关于订单的问题|您好，请问"},
		{traditionalchinese.Big5, "印表機不能工作|關於訂單的問題|您好，請問"},
		{korean.EUCKR, "프린터가 안 됩니다|주문 문의|안녕하세요"},
	} {
		for _, text := range strings.Split(c.texts, "|") {
			raw, err := c.e.NewEncoder().String(text)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := decodeCharset("", []byte(raw)); got != text {
				t.Errorf("%v: %q is read as %q", c.e, text, got)
			}
		}
	}
}

func TestUnknownCharset(t *testing.T) {
	if got, problem := decodeCharset("x-nonsense", []byte("plain")); got != "plain" || problem != ProblemUnknownCharset {
		t.Errorf("got %q %q", got, problem)
	}
	if got := decodeUTF7([]byte("a+b c+")); !strings.HasPrefix(got, "a") {
		t.Errorf("got %q", got)
	}
}
