package mail

// What mail programs write around the mail that is answered or passed on, in
// the languages of their users. All in lower case.

// Roles of the lines of a header block above a quoted mail.
const (
	roleNone = iota
	roleFrom
	roleDate
	roleTo
	roleCc
	roleSubject
	roleOther
)

// blockKeys are the names that programs give the fields in a header block.
var blockKeys = map[string]int{
	"from": roleFrom, "von": roleFrom, "de": roleFrom, "da": roleFrom, "van": roleFrom, "från": roleFrom, "fra": roleFrom, "lähettäjä": roleFrom, "keneltä": roleFrom, "od": roleFrom, "от": roleFrom, "от кого": roleFrom, "отправитель": roleFrom, "від": roleFrom, "від кого": roleFrom, "відправник": roleFrom,
	"差出人": roleFrom, "送信者": roleFrom, "送信元": roleFrom, "发件人": roleFrom, "寄件者": roleFrom, "寄件人": roleFrom, "發件人": roleFrom, "보낸 사람": roleFrom, "보낸사람": roleFrom, "발신자": roleFrom, "보낸이": roleFrom, "gönderen": roleFrom, "kimden": roleFrom, "người gửi": roleFrom, "từ": roleFrom, "feladó": roleFrom, "de la": roleFrom, "expeditor": roleFrom, "από": roleFrom, "отправлено от": roleFrom, "مِن": roleFrom, "من": roleFrom, "מאת": roleFrom, "จาก": roleFrom, "remitente": roleFrom, "mittente": roleFrom, "expéditeur": roleFrom, "afzender": roleFrom, "absender": roleFrom, "dari": roleFrom, "from name": roleFrom, "frá": roleFrom, "pošiljatelj": roleFrom, "sender": roleFrom,

	"sent": roleDate, "date": roleDate, "gesendet": roleDate, "datum": roleDate, "gesendet am": roleDate, "envoyé": roleDate, "envoyé le": roleDate, "date d'envoi": roleDate, "le": roleDate, "enviado": roleDate, "enviado el": roleDate, "enviado em": roleDate, "enviada em": roleDate, "enviada": roleDate, "fecha": roleDate, "data": roleDate, "inviato": roleDate, "inviato il": roleDate, "verzonden": roleDate, "verstuurd": roleDate, "skickat": roleDate, "sendt": roleDate, "dato": roleDate, "lähetetty": roleDate, "päivämäärä": roleDate, "päiväys": roleDate, "pvm": roleDate, "wysłano": roleDate, "wysłane": roleDate, "data wysłania": roleDate, "odesláno": roleDate, "odeslané": roleDate, "odoslané": roleDate, "dátum": roleDate, "отправлено": roleDate, "дата": roleDate, "отправлен": roleDate, "надіслано": roleDate, "відправлено": roleDate,
	"送信日時": roleDate, "日時": roleDate, "日付": roleDate, "送信日": roleDate, "送信": roleDate, "发送时间": roleDate, "发送日期": roleDate, "日期": roleDate, "时间": roleDate, "寄件日期": roleDate, "傳送時間": roleDate, "寄件時間": roleDate, "時間": roleDate, "發送時間": roleDate, "보낸 날짜": roleDate, "날짜": roleDate, "보낸날짜": roleDate, "보낸 시간": roleDate, "발신일": roleDate, "일시": roleDate, "gönderildi": roleDate, "gönderilme tarihi": roleDate, "tarih": roleDate, "ngày": roleDate, "đã gửi": roleDate, "vào ngày": roleDate, "thời gian": roleDate, "ngày gửi": roleDate, "elküldve": roleDate, "trimis": roleDate, "ημερομηνία": roleDate, "στάλθηκε": roleDate, "sent at": roleDate, "date/time": roleDate, "message du": roleDate, "received": roleDate, "נשלח": roleDate, "التاريخ": roleDate, "วันที่": roleDate, "tanggal": roleDate, "poslano": roleDate,

	"to": roleTo, "an": roleTo, "à": roleTo, "a": roleTo, "para": roleTo, "aan": roleTo, "till": roleTo, "til": roleTo, "vastaanottaja": roleTo, "do": roleTo, "komu": roleTo, "кому": roleTo, "получатель": roleTo, "宛先": roleTo, "収件人": roleTo, "收件人": roleTo, "收件者": roleTo, "받는 사람": roleTo, "받는사람": roleTo, "수신자": roleTo, "받는이": roleTo, "수신": roleTo, "kime": roleTo, "alıcı": roleTo, "đến": roleTo, "tới": roleTo, "người nhận": roleTo, "címzett": roleTo, "către": roleTo, "προς": roleTo, "destinatario": roleTo, "destinataire": roleTo, "destinatário": roleTo, "empfänger": roleTo, "recipient": roleTo, "recipients": roleTo, "al": roleTo, "אל": roleTo, "إلى": roleTo, "ถึง": roleTo, "kepada": roleTo, "adresat": roleTo, "ontvanger": roleTo,

	"cc": roleCc, "kopie": roleCc, "copie": roleCc, "copie à": roleCc, "copia": roleCc, "cc:": roleCc, "bcc": roleCc, "kopia": roleCc, "kopi": roleCc, "kopio": roleCc, "kopija": roleCc, "dw": roleCc, "do wiadomości": roleCc, "копия": roleCc, "копія": roleCc, "抄送": roleCc, "副本": roleCc, "副本抄送": roleCc, "参照": roleCc, "참조": roleCc, "bilgi": roleCc, "sao": roleCc, "đồng gửi": roleCc, "másolatot kap": roleCc, "con copia": roleCc, "cópia": roleCc, "kópia": roleCc, "jäljennös": roleCc,

	"subject": roleSubject, "betreff": roleSubject, "objet": roleSubject, "asunto": roleSubject, "assunto": roleSubject, "oggetto": roleSubject, "onderwerp": roleSubject, "ämne": roleSubject, "emne": roleSubject, "aihe": roleSubject, "temat": roleSubject, "předmět": roleSubject, "predmet": roleSubject, "тема": roleSubject, "тема письма": roleSubject, "件名": roleSubject, "题目": roleSubject, "主题": roleSubject, "主旨": roleSubject, "主題": roleSubject, "標題": roleSubject, "제목": roleSubject, "konu": roleSubject, "chủ đề": roleSubject, "tiêu đề": roleSubject, "tárgy": roleSubject, "subiect": roleSubject, "θέμα": roleSubject, "sujet": roleSubject, "vec": roleSubject, "věc": roleSubject, "re": roleSubject, "נושא": roleSubject, "الموضوع": roleSubject, "เรื่อง": roleSubject, "subjek": roleSubject, "perihal": roleSubject, "zadeva": roleSubject, "naslov": roleSubject,

	"importance": roleOther, "reply-to": roleOther, "attachments": roleOther, "priority": roleOther, "wichtigkeit": roleOther, "anlagen": roleOther, "priorität": roleOther, "antwort an": roleOther, "répondre à": roleOther, "pièces jointes": roleOther, "importancia": roleOther, "重要度": roleOther, "添付ファイル": roleOther, "返信先": roleOther, "organization": roleOther, "message-id": roleOther, "in-reply-to": roleOther, "references": roleOther, "newsgroups": roleOther, "x-mailer": roleOther, "mime-version": roleOther, "content-type": roleOther, "posted at": roleOther, "conversation": roleOther, "posted to": roleOther,
}

// originalMarks stand between dashes above a quoted mail.
var originalMarks = []string{
	"original message", "original message follows", "original mail", "original email", "original e-mail", "original appointment", "ursprüngliche nachricht", "originalnachricht", "ursprüngliche mail", "original-nachricht", "message d'origine", "message d’origine", "message original", "message initial", "mail original", "courriel original", "mensaje original", "mensaje de origen", "mensagem original", "messaggio originale", "messaggio original", "oorspronkelijk bericht", "origineel bericht", "originalmeddelande", "ursprungligt meddelande", "ursprungsmeddelande", "opprinnelig melding", "original melding", "oprindelig meddelelse", "oprindelig besked", "oprindelig mail", "original meddelelse", "alkuperäinen viesti", "oryginalna wiadomość", "wiadomość oryginalna", "treść oryginalnej wiadomości", "původní zpráva", "původní e-mail", "pôvodná správa", "исходное сообщение", "оригинальное сообщение", "исходное письмо", "початкове повідомлення", "оригінальне повідомлення", "вихідне повідомлення", "元のメッセージ", "元のメール", "元メール", "オリジナル メッセージ", "オリジナルメッセージ", "返信元メッセージ", "原始邮件", "原邮件", "原始信息", "邮件原件", "原始郵件", "原始訊息", "原始信件", "원본 메시지", "원본 메일", "원본메시지", "원본 이메일", "orijinal mesaj", "orjinal mesaj", "özgün ileti", "orijinal ileti", "thư gốc", "tin nhắn gốc", "thông điệp gốc", "eredeti üzenet", "mesaj original", "αρχικό μήνυμα", "reply message", "reply separator", "reply above this line", "הודעה מקורית", "الرسالة الأصلية", "izvorna poruka", "izvorno sporočilo", "pesan asli",
}

// forwardMarks stand above a mail that is passed on.
var forwardMarks = []string{
	"forwarded message", "forwarded mail", "forwarded email", "forwarded by", "begin forwarded message", "start of forwarded message", "weitergeleitete nachricht", "anfang der weitergeleiteten nachricht", "anfang der weitergeleiteten e-mail", "weitergeleitete mail", "weitergeleitet von", "message transféré", "message transmis", "message réexpédié", "début du message réexpédié", "début du message transféré", "message retransmis", "courriel transféré", "mail transféré", "mensaje reenviado", "inicio del mensaje reenviado", "mensaje enviado", "mensagem encaminhada", "mensagem reencaminhada", "início da mensagem encaminhada", "início da mensagem reencaminhada", "início de mensagem reenviada", "messaggio inoltrato", "inizio messaggio inoltrato", "inizio del messaggio inoltrato", "doorgestuurd bericht", "begin doorgestuurd bericht", "doorgestuurde bericht", "vidarebefordrat meddelande", "vidarebefordrat brev", "vidarebefordrat mejl", "början på vidarebefordrat brev", "videresendt melding", "videresendt meddelelse", "videresendt besked", "videresendt e-mail", "start på videresendt besked", "begynnelse på videresendt melding", "start på videresendt", "edelleenlähetetty viesti", "välitetty viesti", "alkaa välitetty viesti", "edelleenvälitetty viesti", "przekazana wiadomość", "wiadomość przekazana", "wiadomość przesłana dalej", "początek przekazywanej wiadomości", "přeposlaná zpráva", "přeposlaný e-mail", "začátek přeposílané zprávy", "preposlaná správa", "пересланное сообщение", "пересылаемое сообщение", "пересланное письмо", "начало переадресованного сообщения", "переслане повідомлення", "перенаправлене повідомлення", "початок листа, що пересилається", "転送されたメッセージ", "転送メッセージ", "転送されたメール", "転送メール", "begin forwarded message", "转发邮件", "转发的邮件", "转发邮件信息", "转发信息", "已转发邮件", "轉寄郵件", "轉寄的郵件", "轉寄訊息", "以下是转发的邮件", "开始转发的邮件", "開始轉寄郵件", "전달된 메일", "전달된 메시지", "전달 메시지", "전달된 이메일", "iletilen mesaj", "yönlendirilen mesaj", "iletilmiş mesaj", "iletilen ileti", "yönlendirilmiş ileti", "thư đã chuyển tiếp", "thư được chuyển tiếp", "tin nhắn được chuyển tiếp", "bắt đầu thư được chuyển tiếp", "továbbított üzenet", "mesaj redirecționat", "mesaj înaintat", "προωθημένο μήνυμα", "הודעה שהועברה", "הודעה מועברת", "رسالة معاد توجيهها", "proslijeđena poruka", "posredovano sporočilo", "pesan terusan", "pesan diteruskan", "weergeleitete nachricht",
}

// wroteWords are the verbs of an attribution line.
var wroteWords = []string{
	"wrote", "writes", "schrieb", "hat geschrieben", "geschrieben", "a écrit", "écrit", "écrivait", "a ecrit", "escribió", "escribio", "ha escrito", "escreveu", "ha scritto", "scrive", "scritto", "schreef", "heeft geschreven", "het volgende geschreven", "skrev", "har skrivit", "skrev følgende", "kirjoitti", "napisał", "napisał(a)", "napisała", "pisze", "napisal", "napsal", "napsal(a)", "napsala", "napísal", "napísal(a)", "píše", "написал", "написал(а)", "написала", "пишет", "писал", "писал(а)", "написав", "написав(ла)", "написала", "пише", "пишуть", "のメール", "さんは書きました", "さんが書きました", "が書きました", "書きました", "からのメール", "のメッセージ", "さんからのメッセージ", "写道", "寫道", "写到", "已写道", "님이 작성", "작성", "님이 쓴 메시지", "님이 다음을 작성", "씀", "yazdı", "şunu yazdı", "şunları yazdı", "yazmış", "tarihinde yazdı", "đã viết", "viết", "írta", "ezt írta", "a scris", "έγραψε", "följande", "følgende", "ha escrit", "je napisao", "je napisal", "kirjutas", "rašė", "rakstīja", "menulis", "כתב", "כתבה", "כתב/ה", "مكتب", "كتب", "เขียนว่า",
}

// mySentFrom is believed whatever follows: people write what they like there.
const mySentFrom = "sent from my "

// sentFromWords begin the line that a mobile program adds.
var sentFromWords = []string{
	mySentFrom, "sent from mail for ", "sent from outlook", "sent from yahoo", "sent from the all new", "sent from proton", "sent from samsung", "sent from gmail", "sent from typeapp", "sent from bluemail", "sent from blue mail", "sent from aqua mail", "sent from spark", "sent from mailspring", "sent from nine", "sent from myphone", "sent from windows mail", "sent via ", "sent with ", "sent using ", "sent by outlook", "get outlook for ", "sent on the ", "sent from android", "sent from iphone", "sent from ipad", "sent from a mobile", "sent from mobile", "sent from aol", "sent from tutanota", "sent from tuta",
	"von meinem ", "gesendet von meinem ", "gesendet mit ", "gesendet von outlook", "gesendet von mail", "diese nachricht wurde von meinem ", "von meinem iphone gesendet", "von meinem ipad gesendet", "von unterwegs gesendet", "gesendet aus ", "holen sie sich outlook für", "outlook für ",
	"envoyé de mon ", "envoyé depuis ", "envoyé à partir de ", "envoyé avec ", "envoyé de ", "obtenez outlook pour", "télécharger outlook pour", "provenance : courrier pour", "enviado desde mi ", "enviado desde ", "enviado con ", "obtener outlook para", "enviado do meu ", "enviado a partir ", "enviado via ", "enviado pelo ", "enviado do ", "obter outlook para", "obter o outlook para", "inviato da ", "inviato dal mio ", "scarica outlook per", "ottieni outlook per", "verzonden vanaf mijn ", "verstuurd vanaf mijn ", "verstuurd vanaf ", "verzonden vanuit ", "verzonden via ", "verzonden met ", "outlook voor ", "skickat från min ", "skickat från ", "hämta outlook för", "skaffa outlook för", "sendt fra min ", "sendt fra ", "hent outlook til", "skaff outlook for", "få outlook til", "få outlook for", "lähetetty ", "hanki outlook", "wysłane z ", "wysłano z ", "pobierz aplikację outlook", "pobierz outlook", "odesláno z ", "odoslané z ", "získat outlook pro", "отправлено с ", "отправлено из ", "получить outlook для", "скачать outlook", "надіслано з ", "відправлено з ", "надіслано із ", "отримати outlook для", "iphoneから送信", "ipadから送信", "androidから送信", "私のiphoneから送信", "outlook for iosを入手", "outlook for android を入手", "outlook for ios を入手", "yahoo!メール アプリ", "yahoo! メール", "発信元：", "从我的", "发自我的", "从 outlook", "发自 outlook", "获取 outlook", "從我的", "傳送自我的", "寄件自", "從outlook", "取得 outlook", "發自我的", "下載 outlook", "나의 iphone에서 보냄", "내 iphone에서 보냄", "iphone에서 보냄", "ios용 outlook", "android용 outlook", "iphone'umdan gönderildi", "iphone’umdan gönderildi", "ios için outlook", "android için outlook", "gửi từ ", "đã gửi từ ", "tải outlook cho", "elküldve az iphone", "trimis de pe ", "στάλθηκε από ",
}

// deviceWords name what such a line was sent from; without one of them it is a
// sentence ("Sent via DHL yesterday").
var deviceWords = []string{
	"iphone", "ipad", "ipod", "android", "samsung", "galaxy", "blackberry", "outlook", "mail", "phone", "mobil", "handy", "tablet", "proton", "yahoo", "app", "windows", "nokia", "huawei", "xiaomi", "redmi", "oneplus", "pixel", "sony", "xperia", "htc", "motorola", "moto", "telefon", "teléfono", "telefono", "móvil", "celular", "cellulare", "portable", "spark", "aol", "tuta", "device", "gerät", "dispositivo", "appareil", "wiko", "puhelin", "телефон", "смартфон", "айфон", "手机", "手機", "휴대", "điện thoại", "发自", "從", "从", "發自", "寄件", "ios", "网易", "foxmail", "qq", "unterwegs", "smartphone", "mac", "verizon", "wireless", "t-mobile", "at&t", "https://aka.ms", "vodafone", "orange", "o2", "apparaat", "enhet", "laitte", "発信元",
}

// forwardPrefixes begin the subject of a mail that passes another one on.
var forwardPrefixes = []string{"fwd:", "fw:", "fwd：", "fw：", "wg:", "tr:", "rv:", "enc:", "i:", "doorst:", "vb:", "vs:", "vl:", "pd:", "fs:", "转发:", "转发：", "轉寄:", "轉寄：", "转:", "转：", "전달:", "fwd -", "ilt:", "ynt:", "chuyển tiếp:", "пересл:", "[fwd:", "[fwd", "転送:", "転送："}

// wroteByEnd is wroteWords by their last byte, sentFromByStart sentFromWords by
// their first: every line of a text is looked up in them.
var (
	wroteByEnd      = byByte(wroteWords, func(w string) byte { return w[len(w)-1] })
	sentFromByStart = byByte(sentFromWords, func(w string) byte { return w[0] })
)

func byByte(words []string, at func(string) byte) (table [256][]string) {
	for _, w := range words {
		table[at(w)] = append(table[at(w)], w)
	}
	return table
}
